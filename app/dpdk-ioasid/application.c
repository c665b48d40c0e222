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
 * The DPDK that is loaded with a program, if only by a library that it uses: its dynamic
 * linker says so. Returns 0 or -errno.
 */
static int
find_dpdk(struct application *app, char *interpreter)
{
	char *argv[] = { interpreter, (char[]){ "--list" }, app->path, NULL };
	char *output;
	int err = spawn(argv, &output);

	if (output != NULL)
		read_list(app, output);
	free(output);
	return err < 0 ? err : 0;
}

static int
look_at(struct application *app)
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
	err = find_dpdk(app, facts.interpreter);
	if (err < 0)
		return refuse(app, STATUS_RUN, "%s: %s", facts.interpreter, strerror(-err));
	if (app->abi[0] == '\0')
		return refuse(app, STATUS_RUN,
			      "%s does not use DPDK's shared libraries (librte_eal.so): it is no "
			      "DPDK application, or has DPDK linked in; then link "
			      "librte_iommu_ioasid.a, too (pkg-config dpdk-ioasid-static)",
			      app->path);
	return 0;
}

int
application_find(const char *name, struct application *app)
{
	int err;

	memset(app, 0, sizeof(*app));
	err = spawn_find(name, app->path, sizeof(app->path));
	if (err < 0)
		return refuse(app, err == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE,
			      "%s: %s", name, strerror(-err));
	return look_at(app);
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
		return 0;
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
