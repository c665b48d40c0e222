/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MACHINE_FILES_H
#define MACHINE_FILES_H

/*
 * Files of the machine that is looked at: this one, or what was saved of another in the
 * directory DPDK_IOASID_ROOT (its sys, proc, dev, usr …), as tests do.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "machine/model.h"

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

/*
 * Names come from whoever made a device, a mount or a process: what a terminal could take
 * for a command becomes "?".
 */
void machine_printable(char *text);

/* Room for one more in a list of `count`; there being none ends the program. */
void *list_grow(void *list, unsigned int count, size_t size);

/* First line of a file, printable, without its newline: 0 or -errno, then "". */
int machine_line(const struct path *path, char *buf, size_t size);

/* A file that says "Y" or "1", or "N" or "0". */
enum answer machine_flag(const struct path *path);

/* A number in a file; UNKNOWN: none. */
struct number machine_number(const struct path *path, int base);

/* The names in a directory, in order: how many, or -errno. */
int machine_list(const struct path *dir, char ***names);
void machine_list_free(char **names, int count);

/* Last part of a symbolic link's target: 0 or -errno, then "". */
int machine_link(const struct path *path, char *buf, size_t size);

/* Write to a file that is there: 0 or -errno. */
int machine_write(const struct path *path, const char *text);

/* The same; NO: there is no link. */
struct name machine_name(const struct path *path);

/* Whether the files are another machine's. */
bool machine_is_saved(void);

#endif /* MACHINE_FILES_H */
