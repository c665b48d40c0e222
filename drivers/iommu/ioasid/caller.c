/* SPDX-License-Identifier: BSD-3-Clause */

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include <rte_common.h>

#include "caller.h"

const char *
caller_name(const void *address)
{
	const char *slash;
	Dl_info info;

	if (dladdr(address, &info) == 0 || info.dli_fname == NULL)
		return "the application";
	slash = strrchr(info.dli_fname, '/');
	return slash != NULL ? slash + 1 : info.dli_fname;
}

static bool
is_library(const void *address, const char *name)
{
	return strncmp(caller_name(address), name, strlen(name)) == 0;
}

bool
caller_is_eal(const void *address)
{
	return is_library(address, "librte_eal.so");
}

bool
caller_needs_groups(const void *address)
{
	/*
	 * fslmc to DPDK 23.11 (VFIO_GROUP_GET_STATUS and others; later it opens groups by
	 * itself); nbl from 25.11, for devices that stay on the kernel's driver.
	 */
	static const char *const libraries[] = { "librte_bus_fslmc.so", "librte_net_nbl.so" };

	for (size_t i = 0; i < RTE_DIM(libraries); i++)
		if (is_library(address, libraries[i]))
			return true;
	return false;
}
