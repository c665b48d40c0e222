/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid SUBCOMMAND … */

#include <stdio.h>
#include <string.h>

#include "command.h"

static const struct subcommand {
	const char *name;
	char *usage_name;
	const char *help;
	int (*call)(int argc, char **argv);
} subcommands[] = {
	{ "run", (char[]){ "dpdk-ioasid run" }, "start a DPDK application under the plugin",
	  command_run },
	{ "check", (char[]){ "dpdk-ioasid check" },
	  "show how devices are isolated, and what to type next", command_check },
	{ "bind", (char[]){ "dpdk-ioasid bind" }, "give devices to vfio-pci", command_bind },
	{ "unbind", (char[]){ "dpdk-ioasid unbind" }, "give them back to the kernel's drivers",
	  command_unbind },
	{ "guard", (char[]){ "dpdk-ioasid guard" },
	  "let the kernel keep the group rule for every program", command_guard },
	{ "bench", (char[]){ "dpdk-ioasid bench" },
	  "measure what mapping memory costs, in the ways there are", command_bench },
	{ "cdi", (char[]){ "dpdk-ioasid cdi" },
	  "write a Container Device Interface specification for devices", command_cdi },
	{ "dts-tree", (char[]){ "dpdk-ioasid dts-tree" },
	  "write a tree for DPDK's test suite, to test under the plugin", command_dts_tree },
};

static void
print_help(FILE *f)
{
	fprintf(f,
		"Usage: dpdk-ioasid SUBCOMMAND [OPTION…] [ARGUMENT…]\n"
		"DPDK's devices over /dev/ioasid (Linux iommufd), isolated from each other.\n\n");
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		fprintf(f, "  %-9s %s\n", subcommands[i].name, subcommands[i].help);
	fprintf(f, "\n`dpdk-ioasid SUBCOMMAND --help` tells more, the exit status too.\n"
		   "`dpdk-ioasid --version` prints the version.\n");
}

/* As git and ip know it, too. */
static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int
call(const struct subcommand *sub, int argc, char **argv)
{
	static char long_help[] = "--help";
	int status;

	argv[0] = sub->usage_name;
	if (argc > 1 && strcmp(argv[1], "-h") == 0)
		argv[1] = long_help;
	/* argp has 64 of its own; `run` has another. */
	argp_err_exit_status = STATUS_USAGE;
	status = sub->call(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("dpdk-ioasid: cannot write the output");
		return STATUS_NO;
	}
	return status;
}

static const struct subcommand *
find(const char *name)
{
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		if (strcmp(name, subcommands[i].name) == 0)
			return &subcommands[i];
	return NULL;
}

/* `help SUBCOMMAND` is `SUBCOMMAND --help`. */
static int
help(const char *name)
{
	static char long_help[] = "--help";
	const struct subcommand *sub = find(name);
	char *argv[] = { NULL, long_help, NULL };

	if (sub != NULL)
		return call(sub, 2, argv);
	print_help(stdout);
	return STATUS_OK;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct subcommand *sub = find(name);

	if (sub != NULL)
		return call(sub, argc - 1, argv + 1);
	if (is_help(name))
		return help(argc > 2 ? argv[2] : "");
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		puts("dpdk-ioasid " VERSION);
		return STATUS_OK;
	}
	if (name[0] != '\0')
		fprintf(stderr, "dpdk-ioasid: there is no subcommand \"%s\"\n", name);
	print_help(stderr);
	return STATUS_USAGE;
}
