/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_PLUGIN_H
#define IOASID_PLUGIN_H

/* Where the plugin is. A plugin is made for one DPDK ABI, that of the librte_eal it needs. */

#include <limits.h>
#include <stdbool.h>

#include "elf_facts.h"

#define PLUGIN_NAME "librte_iommu_ioasid.so"
/* Names the plugin to use, for one that is not installed. */
#define PLUGIN_ENV "DPDK_IOASID_PLUGIN"

struct plugin {
	char path[PATH_MAX];
	char abi[ABI_SIZE];
};

/*
 * The plugin for an ABI, NULL: any. 0;
 * -ENOENT none is installed: `path` is where one was looked for;
 * -ENOEXEC only for another ABI, the one that is filled in.
 */
int plugin_find(const char *abi, struct plugin *plugin);

/* Whether LD_PRELOAD can name this path, and what to say where it cannot. */
bool plugin_preloadable(const char *path);
#define PLUGIN_NOT_PRELOADABLE                                                                     \
	"the dynamic linker takes a path with a blank or a colon for several: put the plugin "     \
	"elsewhere, or a link to it, and name that by " PLUGIN_ENV

#endif /* IOASID_PLUGIN_H */
