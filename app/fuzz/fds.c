/* SPDX-License-Identifier: BSD-3-Clause */

#include <assert.h>
#include <errno.h>

#include "fds.h"

unsigned int fuzz_adopted, fuzz_closed;

int
fuzz_fcntl(int fd, int command, ...)
{
	(void)command;
	if (fd < 0 || fd >= FUZZ_FDS) {
		errno = EBADF;
		return -1;
	}
	fuzz_adopted |= 1U << fd;
	return 0;
}

int
fuzz_close(int fd)
{
	assert(fd >= 0 && fd < FUZZ_FDS);
	assert((fuzz_closed & 1U << fd) == 0);
	fuzz_closed |= 1U << fd;
	return 0;
}

void
fuzz_fds_reset(void)
{
	fuzz_adopted = fuzz_closed = 0;
}
