/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "application.h"
#include "command.h"
#include "elf_facts.h"
#include "subprocess.h"

static int __attribute__((format(printf, 3, 4)))
refuse(struct application *app, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(app->why, sizeof(app->why), fmt, ap);
	va_end(ap);
	return status;
}

/* From the lines of a dynamic linker: "librte_eal.so.23 => PATH (ADDRESS)". */
static void
read_list(struct application *app, const char *list)
{
	const char *path, *end;

	elf_find_abi(list, app->abi);
	path = strstr(list, "librte_eal.so.");
	path = path != NULL ? strstr(path, " => ") : NULL;
	end = path != NULL ? strstr(path, " (") : NULL;
	if (end != NULL)
		snprintf(app->eal, sizeof(app->eal), "%.*s", (int)(end - path - 4), path + 4);
}

/*
 * The DPDK that is loaded with a program or a library, if only by a library that it uses: the
 * dynamic linker says so. Returns 0 or -errno.
 */
static int
find_dpdk(struct application *app, const char *file)
{
	char *argv[] = { app->interpreter, (char[]){ "--list" }, strdupa(file), NULL };
	char *output;
	int err = spawn(argv, &output);

	if (output != NULL) {
		read_list(app, output);
		app->sanitized |= strstr(output, "libasan.so") != NULL ||
				  strstr(output, "libclang_rt.asan") != NULL;
	}
	free(output);
	return err < 0 ? err : 0;
}

/* Whether a word is the name of a program that uses DPDK's shared libraries. */
static bool
is_dpdk_program(const char *word)
{
	struct application app = { 0 };
	struct elf_facts facts;

	if (spawn_find(word, app.path, sizeof(app.path)) < 0 || elf_read(app.path, &facts) < 0 ||
	    facts.interpreter[0] == '\0')
		return false;
	strcpy(app.interpreter, facts.interpreter);
	return find_dpdk(&app, app.path) == 0 && app.abi[0] != '\0';
}

/* taskset, numactl, gdb --args and so on start the application: it stands behind them. */
static const char *
find_behind(char *const *argv)
{
	for (argv++; *argv != NULL; argv++)
		if ((*argv)[0] != '-' && is_dpdk_program(*argv))
			return *argv;
	return NULL;
}

static int
refuse_without_dpdk(struct application *app, char *const *argv)
{
	const char *behind = find_behind(argv);

	if (behind != NULL)
		return refuse(app, STATUS_RUN,
			      "%s starts %s, and only that is a DPDK application: put `dpdk-ioasid "
			      "run --` between the two, right before %s",
			      argv[0], behind, behind);
	return refuse(
		app, STATUS_RUN,
		"%s does not use DPDK's shared libraries (librte_eal.so): it is no DPDK "
		"application, or loads DPDK later (then name the library that brings it by "
		"--dpdk-library), or has DPDK linked in; then link librte_iommu_ioasid.a, too "
		"(pkg-config dpdk-ioasid-static)",
		app->path);
}

/* What it loads later by itself: not in the list of the program, but in its own. */
static int
look_at_library(struct application *app, const char *library)
{
	int err = access(library, R_OK) < 0 ? -errno : find_dpdk(app, library);

	if (err < 0)
		return refuse(app, STATUS_RUN, "--dpdk-library %s: %s", library, strerror(-err));
	if (app->abi[0] == '\0')
		return refuse(app, STATUS_RUN,
			      "--dpdk-library %s: it does not use DPDK's shared libraries "
			      "(librte_eal.so): nobody can put it under the plugin",
			      library);
	return 0;
}

static int
look_at(struct application *app, char *const *argv, const char *library)
{
	struct elf_facts facts;
	int err = elf_read(app->path, &facts);

	if (err == -ENOEXEC)
		return refuse(app, STATUS_RUN,
			      "%s is a script or the like: put `dpdk-ioasid run --` before the "
			      "DPDK application that it starts",
			      app->path);
	if (err < 0)
		return refuse(app, STATUS_NOT_EXECUTABLE, "%s: %s", app->path, strerror(-err));
	if (facts.interpreter[0] == '\0')
		return refuse(app, STATUS_RUN,
			      "%s is a static program, into which nothing can be loaded: link it "
			      "with librte_iommu_ioasid.a (pkg-config dpdk-ioasid-static)",
			      app->path);
	strcpy(app->interpreter, facts.interpreter);
	err = find_dpdk(app, app->path);
	if (err < 0)
		return refuse(app, STATUS_RUN, "%s: %s", app->interpreter, strerror(-err));
	if (library != NULL && app->abi[0] == '\0')
		return look_at_library(app, library);
	return app->abi[0] != '\0' ? 0 : refuse_without_dpdk(app, argv);
}

int
application_find(char *const *argv, const char *library, struct application *app)
{
	int err;

	memset(app, 0, sizeof(*app));
	err = spawn_find(argv[0], app->path, sizeof(app->path));
	if (err < 0)
		return refuse(app, err == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE,
			      "%s: %s", argv[0], strerror(-err));
	return look_at(app, argv, library);
}

/* For such programs the dynamic linker ignores what is preloaded. */
static bool
has_privileges(const char *path)
{
	struct stat st;

	if (getxattr(path, "security.capability", NULL, 0) > 0)
		return geteuid() != 0;
	if (stat(path, &st) < 0)
		return false;
	return ((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
	       ((st.st_mode & S_ISGID) && st.st_gid != getgid());
}

/*
 * The dynamic linker only warns of what it cannot preload, and the program would run without:
 * so it is asked beforehand what it would load.
 */
static int
check_preload(struct application *app, const char *plugin)
{
	char *argv[] = { app->interpreter, (char[]){ "--preload" },
			 strdupa(plugin),  (char[]){ "--list" },
			 app->path,        NULL };
	char *output;
	int err;

	if (!plugin_preloadable(plugin))
		return refuse(app, STATUS_RUN, "%s: " PLUGIN_NOT_PRELOADABLE, plugin);
	err = spawn(argv, &output);
	if (err != 0 || output == NULL || strstr(output, plugin) == NULL ||
	    strstr(output, "cannot be preloaded") != NULL)
		err = refuse(app, STATUS_RUN, "%s cannot be preloaded: %.512s", plugin,
			     err < 0          ? strerror(-err)
			     : output != NULL ? output
					      : "");
	free(output);
	return err;
}

int
application_plugin(struct application *app, struct plugin *plugin)
{
	if (has_privileges(app->path))
		return refuse(
			app, STATUS_RUN,
			"%s has file capabilities or set-user-ID: for such programs LD_PRELOAD "
			"has no effect; take them away (setcap -r) or link with the plugin",
			app->path);
	switch (plugin_find(app->abi, plugin)) {
	case 0:
		return check_preload(app, plugin->path);
	case -ENOEXEC:
		return refuse(app, STATUS_RUN,
			      "%s uses DPDK's ABI %s, the plugin %s is for ABI %s: build one with "
			      "that DPDK (PKG_CONFIG_PATH) and name it by " PLUGIN_ENV,
			      app->path, app->abi, plugin->path, plugin->abi);
	default:
		return refuse(app, STATUS_RUN,
			      "the plugin " PLUGIN_NAME " is not in %s: install it, or "
			      "name it by " PLUGIN_ENV,
			      plugin->path);
	}
}
