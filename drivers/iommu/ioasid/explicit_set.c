/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_devargs.h>
#include <rte_pci.h>

#include "explicit_set.h"

/* Without an allow list EAL itself uses all devices. */
static bool all_vfio_devices;

static const struct rte_devargs *
find_devargs(const char *bdf, enum rte_dev_policy policy)
{
	struct rte_pci_addr addr, named;
	struct rte_devargs *da;

	if (rte_pci_addr_parse(bdf, &addr) < 0)
		return NULL;
	RTE_EAL_DEVARGS_FOREACH("pci", da)
		if (da->policy == policy && rte_pci_addr_parse(da->name, &named) == 0 &&
		    rte_pci_addr_cmp(&addr, &named) == 0)
			return da;
	return NULL;
}

void
explicit_set_init(void)
{
	struct rte_devargs *da;

	all_vfio_devices = true;
	RTE_EAL_DEVARGS_FOREACH("pci", da)
		if (da->policy == RTE_DEV_ALLOWED)
			all_vfio_devices = false;
}

bool
explicit_set_names(const char *bdf)
{
	return find_devargs(bdf, RTE_DEV_ALLOWED) != NULL;
}

bool
explicit_set_has(const struct ioasid_member *member)
{
	return member->cdev[0] != '\0' ? explicit_set_has_vfio(member->bdf)
				       : explicit_set_names(member->bdf);
}

bool
explicit_set_has_vfio(const char *bdf)
{
	if (explicit_set_names(bdf))
		return true;
	return all_vfio_devices && find_devargs(bdf, RTE_DEV_BLOCKED) == NULL;
}

bool
explicit_set_is_list(void)
{
	return !all_vfio_devices;
}
