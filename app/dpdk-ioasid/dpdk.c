/* SPDX-License-Identifier: BSD-3-Clause */

#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dpdk.h"
#include "elf_facts.h"
#include "machine.h"

static const char *const dirs[] = {
	"/usr/lib",       "/usr/lib/*-linux-*",       "/usr/lib64",
	"/usr/local/lib", "/usr/local/lib/*-linux-*", "/usr/local/lib64",
};

/* An ABI begins with the release of a November and lasts for a year: 23 is 22.11 to 23.07. */
static json_t *
releases(const char *abi)
{
	const long number = strtol(abi, NULL, 10);

	return json_sprintf("%02ld.11 to %02ld.07", number - 1, number);
}

static void
add(json_t *list, const char *file)
{
	struct path path;
	char abi[ABI_SIZE];

	elf_find_abi(file, abi);
	/* The soname, not the file of a minor version behind it. */
	if (abi[0] == '\0' || strchr(abi, '.') != NULL)
		return;
	snprintf(path.s, sizeof(path.s), "%s", file);
	json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "abi", abi, "releases",
					      releases(abi), "path", machine_shown(&path)));
}

json_t *
dpdk_installed(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct path pattern = machine_path("%s/librte_eal.so.*", dirs[i]);
		glob_t found;

		if (glob(pattern.s, 0, NULL, &found) != 0)
			continue;
		for (size_t j = 0; j < found.gl_pathc; j++)
			add(list, found.gl_pathv[j]);
		globfree(&found);
	}
	return list;
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
