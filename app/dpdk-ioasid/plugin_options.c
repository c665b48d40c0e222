/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "plugin_options.h"

/*
 * Those of the plugin (options.c): all but what they are called is its business. `key` less
 * FIRST_KEY is the place in the table.
 */
#define FIRST_KEY 512

static const struct argp_option options[] = {
	{ "allow-insecure-vfio", FIRST_KEY, NULL, 0,
	  "Attach devices although others of their IOMMU group could reach the program's memory",
	  0 },
	{ "ioasid-dev", FIRST_KEY + 1, "PATH", 0, "Device node of I/O address spaces", 0 },
	{ "ioasid-mode", FIRST_KEY + 2, "auto|native|container", 0,
	  "Who does the work: the plugin, stock EAL under the plugin's group rule, or what the "
	  "kernel allows",
	  0 },
	{ "ioasid-iova-window", FIRST_KEY + 3, "START:LENGTH", 0,
	  "I/O virtual addresses that DPDK's memory may use", 0 },
	{ "ioasid-fd", FIRST_KEY + 4, "N", 0, "The open device node of I/O address spaces", 0 },
	{ "vfio-device-fd", FIRST_KEY + 5, "BDF=N", 0,
	  "The open device node of a device; may be repeated", 0 },
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
	const unsigned int i = (unsigned int)key - FIRST_KEY;
	char option[64];

	if (i >= sizeof(options) / sizeof(options[0]) - 1)
		return ARGP_ERR_UNKNOWN;
	snprintf(option, sizeof(option), "--%s", options[i].name);
	add_option(option, arg != NULL ? arg : "", state);
	return 0;
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

const struct argp_child plugin_options[] = { { &argp, 0, NULL, 0 }, { 0 } };
