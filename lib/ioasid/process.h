/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_PROCESS_H
#define IOASID_PROCESS_H

/* What others have named, on its way into a message. */

#include <stddef.h>

#define PROCESS_NAME_SIZE 16 /* TASK_COMM_LEN */

/*
 * Put '?' in the place of each byte that is no printable ASCII character. Whoever chooses the
 * name of a process or a mount point could write to the terminal of root by it.
 */
char *printable(char *text);

/* The name of a process, printable; "?": it cannot be read. `pid` is a number. */
void process_name(const char *pid, char name[PROCESS_NAME_SIZE]);

#endif /* IOASID_PROCESS_H */
