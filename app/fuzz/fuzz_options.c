/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The plugin's options, in DPDK_IOASID_OPTS, the first line of the input, and among EAL's
 * arguments, the others.
 */

#include "fds.h"

#include <stdlib.h>
#include <string.h>

#include <rte_log.h>

#include "fuzz.h"
/* The variable is read once a process: what reads its words is static. */
#include "options.c"

#define MAX_ARGS 32

/* Where it was: it is not looked into. */
static uintptr_t eal_argv;
static int eal_argc, eal_result;

/* As getopt() does, which puts what is no option last. */
static int
eal_init(int argc, char **argv)
{
	char *name = argv[0];

	eal_argc = argc;
	eal_argv = (uintptr_t)argv;
	/* EAL's: argv[result] is the name, so that the application goes on from there. */
	if (eal_result > argc - 1)
		eal_result = argc - 1;
	if (eal_result > 0) {
		memmove(&argv[0], &argv[1], (size_t)eal_result * sizeof(*argv));
		argv[eal_result] = name;
	}
	return eal_result;
}

/* Every argument is there once, the name first, and EAL's are in the order they had. */
static void
check_order(char *const *before, char *const *after, int argc, int taken)
{
	bool seen[MAX_ARGS] = { false };
	int i = 1;

	assert(taken >= 0 && taken < argc);
	assert(after[0] == before[0] && after[argc] == NULL);
	for (int n = 1 + taken; n < argc; n++) {
		while (i < argc && before[i] != after[n])
			i++;
		assert(i < argc);
		seen[i++] = true;
	}
	i = 1;
	for (int n = 1; n < 1 + taken; n++) {
		while (i < argc && before[i] != after[n])
			i++;
		assert(i < argc && !seen[i]);
		i++;
	}
}

static void
check_call(int argc, char **argv, int taken)
{
	char *const name = argv[0];
	int ret;

	eal_result = argc / 2 - 1;
	ret = options_call_without(eal_init, argc, argv, taken);
	assert(eal_argc == argc - taken && eal_argv == (uintptr_t)(argv + taken));
	if (eal_result < 0)
		assert(ret == eal_result);
	else
		assert(ret == eal_result + taken && argv[ret] == name);
	assert(argv[argc] == NULL);
}

static void
fuzz_arguments(char *text)
{
	char *argv[MAX_ARGS + 1] = { (char[]){ "app" } }, *before[MAX_ARGS + 1];
	int argc = 1, taken;

	/* Not strtok(): an argument may be empty. */
	while (text != NULL && argc < MAX_ARGS)
		argv[argc++] = strsep(&text, "\n");
	memcpy(before, argv, sizeof(argv));
	if (options_take(argc, argv, &taken) < 0)
		return;
	check_order(before, argv, argc, taken);
	check_call(argc, argv, taken);
}

static void
check_options(void)
{
	assert(options.dev == NULL || options.dev[0] == '/');
	assert(options.dev == NULL || given_ioasid() < 0);
	assert(options.mode <= MODE_CONTAINER);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text;
	char *variable = strsep(&rest, "\n");

	rte_openlog_stream(fuzz_nowhere());
	memset(&options, 0, sizeof(options));
	fuzz_fds_reset();
	parse_words(variable);
	fuzz_arguments(rest);
	check_options();
	given_report_unused();
	given_close_all();
	assert(fuzz_closed == fuzz_adopted);
	free(text);
	return 0;
}
