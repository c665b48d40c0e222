/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"

/*
 * Where `meson install` puts the plugin: LIBDIR is relative to the prefix, which is the
 * directory above the one of this program, wherever the whole may have been moved to.
 */
static int
library_dir(char dir[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n;

	if (LIBDIR[0] == '/')
		return snprintf(dir, PATH_MAX, "%s", LIBDIR) < PATH_MAX ? 0 : -ENAMETOOLONG;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return -errno;
	self[n] = '\0';
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(self, '/');

		if (slash == NULL)
			return -ENOENT;
		*slash = '\0';
	}
	n = snprintf(dir, PATH_MAX, "%s/%s", self, LIBDIR);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* In an absolute path links stay: the linker may not take the file's own path (blanks). */
static bool
make_absolute(const char *path, char absolute[PATH_MAX])
{
	if (path[0] != '/')
		return realpath(path, absolute) != NULL;
	return snprintf(absolute, PATH_MAX, "%s", path) < PATH_MAX;
}

/* 0: for this ABI; -ENOEXEC: for another; -ENOENT: not there. The path becomes absolute. */
static int
look_at(const char *path, const char *abi, struct plugin *plugin)
{
	struct elf_facts facts;

	if (elf_read(path, &facts) < 0 || !make_absolute(path, plugin->path))
		return -ENOENT;
	strcpy(plugin->abi, facts.abi);
	return abi == NULL || strcmp(abi, facts.abi) == 0 ? 0 : -ENOEXEC;
}

/* The directory itself, then one below it for each further DPDK. */
static int
search(const char *dir, const char *abi, struct plugin *plugin)
{
	char pattern[PATH_MAX + 64];
	int err = -ENOENT;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/" PLUGIN_NAME, dir);
	glob(pattern, GLOB_NOCHECK, NULL, &found);
	snprintf(pattern, sizeof(pattern), "%s/dpdk-ioasid/*/" PLUGIN_NAME, dir);
	glob(pattern, GLOB_APPEND, NULL, &found);
	for (size_t i = 0; err != 0 && i < found.gl_pathc; i++) {
		int one = look_at(found.gl_pathv[i], abi, plugin);

		err = one != -ENOENT ? one : err;
	}
	globfree(&found);
	if (err == -ENOENT)
		snprintf(plugin->path, sizeof(plugin->path), "%s", dir);
	return err;
}

int
plugin_find(const char *abi, struct plugin *plugin)
{
	const char *named = getenv(PLUGIN_ENV);
	char dir[PATH_MAX];
	int err;

	memset(plugin, 0, sizeof(*plugin));
	if (named != NULL) {
		err = look_at(named, abi, plugin);
		if (err == -ENOENT)
			snprintf(plugin->path, sizeof(plugin->path), "%s", named);
		return err;
	}
	err = library_dir(dir);
	return err < 0 ? err : search(dir, abi, plugin);
}

bool
plugin_preloadable(const char *path)
{
	return path[strcspn(path, " :")] == '\0';
}
