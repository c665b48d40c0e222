/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SUBPROCESS_H
#define IOASID_SUBPROCESS_H

/* Where programs are looked for without PATH in the environment. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * Run a program, found by PATH, to its end; what it prints is *output, for free().
 * Returns its exit status, or -errno.
 */
int spawn(char *const argv[], char **output);

/* Whether a program of that name is there; its path is filled in: 0 or -errno. */
int spawn_find(const char *name, char *path, unsigned long size);

#endif /* IOASID_SUBPROCESS_H */
