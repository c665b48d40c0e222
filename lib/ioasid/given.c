/* SPDX-License-Identifier: BSD-3-Clause */

/* Descriptors that somebody else has opened: nothing that is said of them is believed. */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "error.h"
#include "internal.h"
#include "sys.h"

const char *
given_name(int fd, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, size - 1);
	if (n <= 0)
		return "?";
	buf[n] = '\0';
	return buf;
}

int
given_adopt(int fd, const char *what)
{
	char name[256];
	int ret = ioasid_sys->adopt(fd);

	if (ret == -EACCES)
		return error_set(EACCES,
				 "fd %d (%s), given as %s, may not be read and written: "
				 "whoever opens it must use O_RDWR",
				 fd, given_name(fd, name, sizeof(name)), what);
	if (ret < 0)
		return error_set(-ret,
				 "fd %d, given as %s, is not open: whoever opens it must let it "
				 "be inherited (no O_CLOEXEC) and name its number",
				 fd, what);
	return 0;
}
