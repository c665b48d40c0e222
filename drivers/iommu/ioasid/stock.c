/* SPDX-License-Identifier: BSD-3-Clause */

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_pci.h>

#include "caller.h"
#include "container.h"
#include "explicit_set.h"
#include "given.h"
#include "group_report.h"
#include "interpose.h"
#include "log.h"
#include "multiprocess.h"
#include "noiommu.h"
#include "options.h"
#include "space.h"
#include "stock.h"

#define SYSFS_PCI "/sys/bus/pci/devices"

static struct stock stock;
static bool in_charge;
static pthread_once_t decided = PTHREAD_ONCE_INIT;

static const struct {
	const char *name;
	void *slot;
	bool optional;
} functions[] = {
	{ "rte_vfio_setup_device", &stock.setup_device, false },
	{ "rte_vfio_release_device", &stock.release_device, false },
	{ "rte_vfio_enable", &stock.enable, false },
	{ "rte_vfio_is_enabled", &stock.is_enabled, false },
	{ "rte_vfio_noiommu_is_enabled", &stock.noiommu_is_enabled, false },
	{ "rte_vfio_clear_group", &stock.clear_group, false },
	{ "rte_vfio_get_group_num", &stock.get_group_num, false },
	{ "rte_vfio_get_container_fd", &stock.get_container_fd, false },
	{ "rte_vfio_get_group_fd", &stock.get_group_fd, false },
	{ "rte_vfio_container_create", &stock.container_create, false },
	{ "rte_vfio_container_destroy", &stock.container_destroy, false },
	{ "rte_vfio_container_group_bind", &stock.container_group_bind, false },
	{ "rte_vfio_container_group_unbind", &stock.container_group_unbind, false },
	{ "rte_vfio_container_dma_map", &stock.container_dma_map, false },
	{ "rte_vfio_container_dma_unmap", &stock.container_dma_unmap, false },
	{ "rte_vfio_get_device_info", &stock.get_device_info, true },
};

static bool
find_functions(void)
{
	for (size_t i = 0; i < RTE_DIM(functions); i++) {
		void *sym = next_definition(functions[i].name);

		if (sym == NULL && !functions[i].optional)
			return false;
		memcpy(functions[i].slot, &sym, sizeof(sym));
	}
	return true;
}

/* Neither node is there: not "may not be opened", which is an error to be mended. */
static bool
kernel_has_no_iommufd(void)
{
	int ret = space_open();

	return ret == -ENOENT || ret == -ENODEV || ret == -ENXIO;
}

/* A secondary does as the primary does, and is given neither nodes nor options. */
static const char *
reason_of_secondary(void)
{
	const bool by_stock = multiprocess_primary_is_stock();

	if (options.mode == (by_stock ? MODE_NATIVE : MODE_CONTAINER))
		IOASID_LOG(NOTICE, "--ioasid-mode is not used here: the primary process decides");
	return by_stock ? "as in the primary process" : NULL;
}

/* Why stock EAL is to do the work; NULL: it is not. */
static const char *
reason(void)
{
	if (rte_eal_process_type() == RTE_PROC_SECONDARY)
		return reason_of_secondary();
	if (options.mode == MODE_CONTAINER)
		return "--ioasid-mode container";
	/* Who names the node wants it. */
	if (options.mode == MODE_NATIVE || options.dev != NULL || given_ioasid() >= 0)
		return NULL;
	if (noiommu_machine())
		return "this machine has no IOMMU, or it is off (VFIO's no-IOMMU mode)";
	return kernel_has_no_iommufd() ? "this kernel has no iommufd (/dev/iommu)" : NULL;
}

static void
decide(void)
{
	const char *why;

	/* Bad words were told by whoever asked first, and end EAL's start. */
	(void)options_env();
	why = reason();
	if (why == NULL)
		return;
	if (!find_functions()) {
		IOASID_LOG(ERR, "EAL's own VFIO cannot be found behind the plugin: is the "
				"application linked to DPDK's shared libraries?");
		return;
	}
	if (options.window.length > 0)
		IOASID_LOG(WARNING, "--ioasid-iova-window is not known to EAL's own VFIO: ignored");
	in_charge = true;
	IOASID_LOG(NOTICE, "%s: EAL's own VFIO groups and containers are used", why);
	given_report_stock();
}

const struct stock *
stock_in_charge(void)
{
	pthread_once(&decided, decide);
	return in_charge ? &stock : NULL;
}

/* Set once the functions are known, and before stock EAL can call itself. */
static bool lent;
static pthread_once_t lend_once = PTHREAD_ONCE_INIT;

/* Stock EAL beside us: each opens what the other leaves alone. */
static void
lend(void)
{
	if (!find_functions())
		return;
	__atomic_store_n(&lent, true, __ATOMIC_RELEASE);
	if (stock.enable("vfio") < 0)
		__atomic_store_n(&lent, false, __ATOMIC_RELEASE);
}

const struct stock *
stock_for(const void *caller)
{
	if (stock_in_charge() != NULL)
		return &stock;
	if (caller_needs_groups(caller)) {
		pthread_once(&lend_once, lend);
		IOASID_LOG(DEBUG, "%s makes ioctls of VFIO groups: EAL's own VFIO answers it",
			   caller_name(caller));
	} else if (!caller_is_eal(caller)) {
		return NULL;
	}
	return __atomic_load_n(&lent, __ATOMIC_ACQUIRE) ? &stock : NULL;
}

const struct stock *
stock_for_container(const void *caller, int fd)
{
	if (stock_in_charge() != NULL)
		return &stock;
	return container_is_known(fd) ? NULL : stock_for(caller);
}

/* Kernels before 6.1 show no vfio-dev/ for a device: look at the driver's name, too. */
static bool
on_vfio_driver(const struct ioasid_member *m)
{
	return m->cdev[0] != '\0' || strncmp(m->driver, "vfio", 4) == 0;
}

static bool
at_risk(const struct ioasid_member *m)
{
	return !m->bridge && !(on_vfio_driver(m) && explicit_set_has(m));
}

int
stock_check_group(const char *sysfs, const char *bdf)
{
	struct ioasid_group *group;
	int ret;

	if (noiommu_device(sysfs, bdf))
		return noiommu_check(bdf);
	ret = ioasid_group_read(sysfs, bdf, &group);
	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	if (group_count_at_risk(group, at_risk) == 0) {
		ret = 0;
	} else if (options.allow_insecure) {
		group_report_risk(group, bdf, at_risk);
	} else {
		group_report_refusal(group, bdf, at_risk);
		ret = -EPERM;
	}
	ioasid_group_free(group);
	return ret;
}

/* The name of any PCI device in a group; false: there is none. */
static bool
any_pci_member(unsigned int group, char bdf[IOASID_BDF_SIZE])
{
	struct rte_pci_addr addr;
	bool found = false;
	char path[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%u/devices", group);
	dir = opendir(path);
	if (dir == NULL)
		return false;
	while (!found && (e = readdir(dir)) != NULL) {
		found = strlen(e->d_name) < IOASID_BDF_SIZE &&
			rte_pci_addr_parse(e->d_name, &addr) == 0;
		if (found)
			strcpy(bdf, e->d_name);
	}
	closedir(dir);
	return found;
}

int
stock_check_group_number(unsigned int number)
{
	struct ioasid_group *group;
	char bdf[IOASID_BDF_SIZE];
	int ret;

	if (!any_pci_member(number, bdf))
		return 0;
	ret = ioasid_group_read(SYSFS_PCI, bdf, &group);
	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	/* The one that is wanted is a named one, if any is. */
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (!group->members[i].bridge && explicit_set_has(&group->members[i]))
			strcpy(bdf, group->members[i].bdf);
	ioasid_group_free(group);
	return stock_check_group(SYSFS_PCI, bdf);
}
