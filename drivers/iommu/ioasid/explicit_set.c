/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_pci.h>

#include "explicit_set.h"

/* Without an allow list EAL itself uses all devices. */
static bool all_vfio_devices;

/* PCI devices have more than one name: with and without the domain. */
static bool
is_same(const char *bus, const char *name, const char *other)
{
	struct rte_pci_addr a, b;

	if (strcmp(bus, "pci") != 0)
		return strcmp(name, other) == 0;
	return rte_pci_addr_parse(name, &a) == 0 && rte_pci_addr_parse(other, &b) == 0 &&
	       rte_pci_addr_cmp(&a, &b) == 0;
}

/* What DPDK calls the kernel's bus. */
static const char *
bus_name(const char *bus)
{
	return strcmp(bus, "fsl-mc") == 0 ? "fslmc" : bus;
}

static bool
has_devargs(const char *bus, const char *name, enum rte_dev_policy policy)
{
	struct rte_devargs *da;

	RTE_EAL_DEVARGS_FOREACH(bus_name(bus), da)
		if (da->policy == policy && is_same(bus, name, da->name))
			return true;
	return false;
}

void
explicit_set_init(void)
{
	struct rte_devargs *da;

	/* --no-pci: EAL uses none. */
	all_vfio_devices = rte_eal_has_pci();
	RTE_EAL_DEVARGS_FOREACH("pci", da)
		if (da->policy == RTE_DEV_ALLOWED)
			all_vfio_devices = false;
}

bool
explicit_set_names(const struct ioasid_member *m)
{
	return has_devargs(m->bus, m->bdf, RTE_DEV_ALLOWED);
}

bool
explicit_set_has(const struct ioasid_member *m)
{
	if (explicit_set_names(m))
		return true;
	return all_vfio_devices && strcmp(m->bus, "pci") == 0 && ioasid_is_on_vfio(m) &&
	       !has_devargs(m->bus, m->bdf, RTE_DEV_BLOCKED);
}

bool
explicit_set_has_vfio(const char *bdf)
{
	struct ioasid_member m = { .bus = "pci", .driver = "vfio-pci" };

	strncat(m.bdf, bdf, sizeof(m.bdf) - 1);
	return explicit_set_has(&m);
}

bool
explicit_set_is_list(void)
{
	return !all_vfio_devices;
}

void
explicit_set_each(void (*fn)(const char *bdf, void *arg), void *arg)
{
	char bdf[PCI_PRI_STR_SIZE];
	struct rte_pci_addr addr;
	struct rte_devargs *da;

	RTE_EAL_DEVARGS_FOREACH("pci", da) {
		if (da->policy != RTE_DEV_ALLOWED || rte_pci_addr_parse(da->name, &addr) < 0)
			continue;
		rte_pci_device_name(&addr, bdf, sizeof(bdf));
		fn(bdf, arg);
	}
}
