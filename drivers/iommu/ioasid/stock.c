/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <rte_common.h>
#include <rte_eal.h>

#include "caller.h"
#include "container.h"
#include "given.h"
#include "interpose.h"
#include "log.h"
#include "multiprocess.h"
#include "options.h"
#include "space.h"
#include "stock.h"

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

/* What cannot be read decides nothing: then the plugin tries, and says what is wrong. */
static bool
is_so(int answer)
{
	if (answer < 0)
		IOASID_LOG(DEBUG, "%s", ioasid_error());
	return answer == 1;
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
	if (is_so(ioasid_kernel_is_noiommu()))
		return "this machine has no IOMMU, or it is off (VFIO's no-IOMMU mode)";
	if (kernel_has_no_iommufd())
		return "this kernel has no iommufd (/dev/iommu)";
	if (is_so(ioasid_kernel_lacks_cdevs()))
		return "this kernel's VFIO has no device nodes (CONFIG_VFIO_DEVICE_CDEV)";
	return NULL;
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
