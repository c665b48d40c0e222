/* SPDX-License-Identifier: BSD-3-Clause */

#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_facts.h"
#include "machine/dpdk.h"
#include "machine/files.h"
#include "plugin.h"

static const char *const dirs[] = {
	"/usr/lib",       "/usr/lib/*-linux-*",       "/usr/lib64",
	"/usr/local/lib", "/usr/local/lib/*-linux-*", "/usr/local/lib64",
};

/* An ABI begins with the release of a November and lasts for a year: 23 is 22.11 to 23.07. */
static void
add(struct programs *programs, const char *file)
{
	char abi[ABI_SIZE];
	struct path path;
	struct dpdk *dpdk;
	long year;

	elf_find_abi(file, abi);
	/* The soname, not the file of a minor version behind it. */
	if (abi[0] == '\0' || strchr(abi, '.') != NULL)
		return;
	programs->dpdks = list_grow(programs->dpdks, programs->ndpdks, sizeof(*programs->dpdks));
	dpdk = &programs->dpdks[programs->ndpdks++];
	year = strtol(abi, NULL, 10);
	snprintf(dpdk->abi, sizeof(dpdk->abi), "%s", abi);
	snprintf(dpdk->releases, sizeof(dpdk->releases), "%02ld.11 to %02ld.07", year - 1, year);
	snprintf(path.s, sizeof(path.s), "%s", file);
	snprintf(dpdk->path, sizeof(dpdk->path), "%.255s", machine_shown(&path));
	machine_printable(dpdk->path);
}

void
programs_read(struct machine *machine)
{
	struct programs *programs = &machine->programs;
	struct plugin plugin;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct path pattern = machine_path("%s/librte_eal.so.*", dirs[i]);
		glob_t found;

		if (glob(pattern.s, 0, NULL, &found) != 0)
			continue;
		for (size_t j = 0; j < found.gl_pathc; j++)
			add(programs, found.gl_pathv[j]);
		globfree(&found);
	}
	programs->plugin = answer_of(plugin_find(NULL, &plugin) == 0);
	if (programs->plugin != YES)
		return;
	snprintf(programs->plugin_path, sizeof(programs->plugin_path), "%.511s", plugin.path);
	snprintf(programs->plugin_abi, sizeof(programs->plugin_abi), "%s", plugin.abi);
	machine_printable(programs->plugin_path);
}

int
dpdk_version(const char *eal, char *version, size_t size)
{
	const char *(*rte_version)(void) = NULL;
	const char *text;
	void *library;

	/* Constructors leave memory behind: to remain is what EAL is made for. */
	library = dlopen(eal, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
	if (library == NULL)
		return -ENOENT;
	*(void **)&rte_version = dlsym(library, "rte_version");
	text = rte_version != NULL ? rte_version() : "";
	/* "DPDK 22.11.4" */
	snprintf(version, size, "%s", text + strcspn(text, "0123456789"));
	dlclose(library);
	return version[0] != '\0' ? 0 : -ENOENT;
}
