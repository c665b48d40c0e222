/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_COMMAND_H
#define IOASID_COMMAND_H

/* The subcommands. Each is given its own arguments, argv[0] for its usage message. */

#include <argp.h>
#include <stdbool.h>

#include "ioasid.h"

/* Exit statuses; those of `run` are those of env(1), nice(1) and the like. */
enum {
	STATUS_OK = 0,
	STATUS_NO = 1,    /* the answer is no, or it could not be done */
	STATUS_USAGE = 2, /* not understood */
	STATUS_RUN = 125, /* run: the program was not started */
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127,
};

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_bind(int argc, char **argv);
int command_unbind(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_cdi(int argc, char **argv);
int command_guard(int argc, char **argv);
int command_dts_tree(int argc, char **argv);

#define INSECURE_OPTION "--allow-insecure-vfio"

struct device;

/* The PCI addresses among a command's arguments. */
struct bdfs {
	unsigned int count;
	char (*bdf)[IOASID_BDF_SIZE];
};

/*
 * Add the device that an argument names, by its address or as a network interface. One that is not
 * there ends the program by argp_failure(); one that is named twice is one.
 */
void bdfs_add(struct bdfs *bdfs, const char *arg, struct argp_state *state);
/* Without these checks. */
void bdfs_append(struct bdfs *bdfs, const char *bdf);
bool bdfs_has(const struct bdfs *bdfs, const char *bdf);
/* For machine_read(): what a list, its argument, names. */
bool bdfs_wanted(const struct device *device, const void *bdfs);
void bdfs_free(struct bdfs *bdfs);

/* Say on stderr what is wrong with a device, "dpdk-ioasid: BDF: …". */
void complain(const char *bdf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* IOASID_COMMAND_H */
