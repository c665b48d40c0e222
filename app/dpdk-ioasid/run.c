/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid run: the plugin first in the symbol scope of an application, then exec. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "application.h"
#include "command.h"
#include "machine/model.h"
#include "plugin_options.h"

struct run {
	char **app;          /* its arguments, up to NULL */
	char *options;       /* for OPTIONS_ENV */
	const char *library; /* by which it loads DPDK later; NULL: it has it from the start */
};

static const struct argp_option options[] = {
	{ "dpdk-library", 'l', "FILE", 0,
	  "APP loads DPDK later, by this library, as VPP does by its dpdk_plugin.so", 0 },
	{ 0 },
};

static const char doc[] =
	"Start APP, a DPDK application that uses DPDK's shared libraries, under the plugin. "
	"Nothing else changes: input, output, signals and exit status are APP's."
	"\vThe options can also stand among APP's own for EAL, or in the environment variable "
	"DPDK_IOASID_OPTS. DPDK_IOASID_PLUGIN names a plugin that is not installed.\n\n"
	"Exit status: APP's; 125 if it was not started, since it cannot be put under the plugin; "
	"126 if it cannot be executed; 127 if it is not found.";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;

	switch (key) {
	case 'l':
		run->library = arg;
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &run->options;
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
refuse(int status, const char *why)
{
	fprintf(stderr, "dpdk-ioasid run: %s\n", why);
	return status;
}

/* Whoever wants the risk is told who else decides; the plugin can only say so afterwards. */
static void
tell_of_guard(const struct run *run)
{
	struct guard guard = { 0 };

	if (run->options == NULL || strstr(run->options, INSECURE_OPTION) == NULL)
		return;
	guard_read(&guard);
	if (guard.there == YES && !guard.report_only)
		fputs("dpdk-ioasid run: the guard in the kernel is in force: what it does not "
		      "allow,\n" INSECURE_OPTION " does not either (dpdk-ioasid guard status)\n",
		      stderr);
	guard_clear(&guard);
}

static int
start(const struct run *run)
{
	struct application app;
	struct plugin plugin;
	int status;

	status = application_find(run->app, run->library, &app);
	if (status == 0)
		status = application_plugin(&app, &plugin);
	if (status != 0)
		return refuse(status, app.why);
	tell_of_guard(run);
	/* What it has to come before are the C library's functions, and we have none of them. */
	if (app.sanitized && put_before("ASAN_OPTIONS", "verify_asan_link_order=0", ':') < 0)
		return refuse(STATUS_RUN, strerror(errno));
	if (put_before("LD_PRELOAD", plugin.path, ':') < 0 ||
	    (run->options != NULL && put_before(OPTIONS_ENV, run->options, ' ') < 0))
		return refuse(STATUS_RUN, strerror(errno));
	execv(app.path, run->app);
	fprintf(stderr, "dpdk-ioasid run: %s: %s\n", app.path, strerror(errno));
	return STATUS_NOT_EXECUTABLE;
}

int
command_run(int argc, char **argv)
{
	const struct argp argp = { options, parse, "[--] APP [ARGUMENT...]", doc, plugin_options,
				   NULL,    NULL };
	struct run run = { 0 };
	int status;

	argp_err_exit_status = STATUS_RUN;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &run);
	status = start(&run);
	free(run.options);
	return status;
}
