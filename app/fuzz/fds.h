/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FUZZ_FDS_H
#define FUZZ_FDS_H

/*
 * An input names descriptors by their numbers: none of them shall be libFuzzer's. What includes
 * this, before all else, adopts and closes descriptors that are not there, 0 to 7.
 */

#include <fcntl.h>
#include <unistd.h>

#define FUZZ_FDS 8

int fuzz_fcntl(int fd, int command, ...);
/* A descriptor is closed once, and by whom it belongs to. */
int fuzz_close(int fd);

/* A new input: none has been adopted or closed. */
void fuzz_fds_reset(void);
/* As by fcntl(); they are to be closed from now on. */
extern unsigned int fuzz_adopted, fuzz_closed;

#define fcntl fuzz_fcntl
#define close fuzz_close

#endif /* FUZZ_FDS_H */
