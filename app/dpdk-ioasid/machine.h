/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_MACHINE_H
#define IOASID_MACHINE_H

/*
 * Files of the machine that is looked at: this one, or what was saved of another in the
 * directory DPDK_IOASID_ROOT (its sys, proc, dev, usr …), as tests do.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define ROOT_ENV "DPDK_IOASID_ROOT"

struct path {
	char s[PATH_MAX];
};

/* A path of the machine; "" if it is too long, which then does not exist. */
struct path machine_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The directory of PCI devices, as lib/ioasid wants it. */
const char *machine_devices(void);

/* The name by which the user knows a path of the machine: without DPDK_IOASID_ROOT. */
const char *machine_shown(const struct path *path);

bool machine_exists(const struct path *path);

/* Whether this user may read and write a node. */
bool machine_may_open(const struct path *path);

/* First line of a file without its newline: 0 or -errno, then "". */
int machine_line(const struct path *path, char *buf, size_t size);

/* Last part of a symbolic link's target: 0 or -errno, then "". */
int machine_link(const struct path *path, char *buf, size_t size);

/* Write to a file that is there: 0 or -errno. */
int machine_write(const struct path *path, const char *text);

/* "6.12.1", and as a number: 0x060c for 6.12. */
const char *machine_kernel(void);
unsigned int machine_kernel_number(void);

#endif /* IOASID_MACHINE_H */
