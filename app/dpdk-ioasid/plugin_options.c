/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "plugin_options.h"

enum { KEY_INSECURE = 512, KEY_DEV, KEY_MODE };

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

/* Words are separated by white space there, so no word may contain any. */
static void
add_option(const char *option, const char *value, struct argp_state *state)
{
	char **all = state->input, *longer = NULL;

	if (value[strcspn(value, " \t\n")] != '\0')
		argp_error(state, "\"%s\": white space is not possible here", value);
	if (asprintf(&longer, "%s%s%s%s%s", *all != NULL ? *all : "", *all != NULL ? " " : "",
		     option, value[0] != '\0' ? "=" : "", value) < 0)
		argp_failure(state, argp_err_exit_status, ENOMEM, "%s", option);
	free(*all);
	*all = longer;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case KEY_INSECURE:
		add_option(INSECURE_OPTION, "", state);
		return 0;
	case KEY_DEV:
		add_option("--ioasid-dev", arg, state);
		return 0;
	case KEY_MODE:
		add_option("--ioasid-mode", arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

const struct argp_child plugin_options[] = { { &argp, 0, NULL, 0 }, { 0 } };
