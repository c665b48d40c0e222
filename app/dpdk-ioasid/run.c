/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid run: the plugin first in the symbol scope of an application, then exec. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "command.h"
#include "elf_facts.h"
#include "plugin.h"
#include "subprocess.h"

#define OPTIONS_ENV "DPDK_IOASID_OPTS"

enum { KEY_INSECURE = 256, KEY_DEV, KEY_MODE };

struct run {
	char **app;    /* its arguments, up to NULL */
	char *options; /* for OPTIONS_ENV */
};

static const struct argp_option options[] = {
	{ "allow-insecure-vfio", KEY_INSECURE, NULL, 0,
	  "Attach devices although others of their IOMMU group could reach the program's memory",
	  0 },
	{ "ioasid-dev", KEY_DEV, "PATH", 0, "Device node of I/O address spaces", 0 },
	{ "ioasid-mode", KEY_MODE, "auto|native|container", 0,
	  "Who does the work: the plugin, stock EAL under the plugin's group rule, or what the "
	  "kernel allows",
	  0 },
	{ 0 },
};

static const char doc[] =
	"Start APP, a DPDK application that uses DPDK's shared libraries, under the plugin. "
	"Nothing else changes: input, output, signals and exit status are APP's."
	"\vThe options can also stand among APP's own for EAL, or in the environment variable "
	"DPDK_IOASID_OPTS. DPDK_IOASID_PLUGIN names a plugin that is not installed.\n\n"
	"Exit status: APP's; 125 if it was not started, since it cannot be put under the plugin; "
	"126 if it cannot be executed; 127 if it is not found.";

/* Words are separated by white space there, so no word may contain any. */
static void
add_option(struct run *run, const char *option, const char *value, struct argp_state *state)
{
	char *longer = NULL;

	if (value[strcspn(value, " \t\n")] != '\0')
		argp_error(state, "\"%s\": white space is not possible here", value);
	if (asprintf(&longer, "%s%s%s%s%s", run->options != NULL ? run->options : "",
		     run->options != NULL ? " " : "", option, value[0] != '\0' ? "=" : "",
		     value) < 0)
		argp_failure(state, STATUS_RUN, ENOMEM, "%s", option);
	free(run->options);
	run->options = longer;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;

	switch (key) {
	case KEY_INSECURE:
		add_option(run, INSECURE_OPTION, "", state);
		return 0;
	case KEY_DEV:
		add_option(run, "--ioasid-dev", arg, state);
		return 0;
	case KEY_MODE:
		add_option(run, "--ioasid-mode", arg, state);
		return 0;
	case ARGP_KEY_ARGS:
		run->app = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which application?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int __attribute__((format(printf, 2, 3))) refuse(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("dpdk-ioasid run: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
	return status;
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
 * The ABI of the DPDK that is loaded with a program, if only by a library that it uses:
 * its dynamic linker says so. Returns 0 or -errno.
 */
static int
find_abi(const char *path, char *interpreter, char abi[ABI_SIZE])
{
	char *argv[] = { interpreter, (char[]){ "--list" }, (char *)path, NULL };
	char *output;
	int err;

	abi[0] = '\0';
	err = spawn(argv, &output);
	if (output != NULL)
		elf_find_abi(output, abi);
	free(output);
	return err < 0 ? err : 0;
}

static int
abi_of(const char *path, char abi[ABI_SIZE])
{
	struct elf_facts facts;
	int err = elf_read(path, &facts);

	if (err == -ENOEXEC)
		return refuse(STATUS_RUN,
			      "%s is a script or the like: put `dpdk-ioasid run --` before the "
			      "DPDK application that it starts",
			      path);
	if (err < 0)
		return refuse(STATUS_NOT_EXECUTABLE, "%s: %s", path, strerror(-err));
	if (facts.interpreter[0] == '\0')
		return refuse(STATUS_RUN,
			      "%s is a static program, into which nothing can be loaded: link it "
			      "with librte_iommu_ioasid.a (pkg-config dpdk-ioasid-static)",
			      path);
	err = find_abi(path, facts.interpreter, abi);
	if (err < 0)
		return refuse(STATUS_RUN, "%s: %s", facts.interpreter, strerror(-err));
	if (abi[0] == '\0')
		return refuse(STATUS_RUN,
			      "%s does not use DPDK's shared libraries (librte_eal.so): it is no "
			      "DPDK application, or has DPDK linked in; then link "
			      "librte_iommu_ioasid.a, too (pkg-config dpdk-ioasid-static)",
			      path);
	return 0;
}

static int
plugin_for(const char *path, struct plugin *plugin)
{
	char abi[ABI_SIZE];
	int status = abi_of(path, abi);

	if (status != 0)
		return status;
	switch (plugin_find(abi, plugin)) {
	case 0:
		return 0;
	case -ENOEXEC:
		return refuse(STATUS_RUN,
			      "%s uses DPDK's ABI %s, the plugin %s is for ABI %s: build one with "
			      "that DPDK (PKG_CONFIG_PATH) and name it by " PLUGIN_ENV,
			      path, abi, plugin->path, plugin->abi);
	default:
		return refuse(STATUS_RUN,
			      "the plugin " PLUGIN_NAME " is not in %s: install it, or "
			      "name it by " PLUGIN_ENV,
			      plugin->path);
	}
}

/* Before what the variable holds already. */
static int
put_before(const char *name, const char *text, char separator)
{
	const char *old = getenv(name);
	char *both;
	int err;

	if (old == NULL || old[0] == '\0')
		return setenv(name, text, 1);
	if (asprintf(&both, "%s%c%s", text, separator, old) < 0)
		return -1;
	err = setenv(name, both, 1);
	free(both);
	return err;
}

static int
start(const struct run *run)
{
	char path[PATH_MAX];
	struct plugin plugin;
	int err, status;

	err = spawn_find(run->app[0], path, sizeof(path));
	if (err < 0)
		return refuse(err == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE, "%s: %s",
			      run->app[0], strerror(-err));
	if (has_privileges(path))
		return refuse(
			STATUS_RUN,
			"%s has file capabilities or set-user-ID: for such programs LD_PRELOAD "
			"has no effect; take them away (setcap -r) or link with the plugin",
			path);
	status = plugin_for(path, &plugin);
	if (status != 0)
		return status;
	if (put_before("LD_PRELOAD", plugin.path, ':') < 0 ||
	    (run->options != NULL && put_before(OPTIONS_ENV, run->options, ' ') < 0))
		return refuse(STATUS_RUN, "%s", strerror(errno));
	execv(path, run->app);
	return refuse(STATUS_NOT_EXECUTABLE, "%s: %s", path, strerror(errno));
}

int
command_run(int argc, char **argv)
{
	const struct argp argp = {
		options, parse, "[--] APP [ARGUMENT...]", doc, NULL, NULL, NULL
	};
	struct run run = { 0 };
	int status;

	argp_err_exit_status = STATUS_RUN;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &run);
	status = start(&run);
	free(run.options);
	return status;
}
