/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FAIL_NTH_H
#define FAIL_NTH_H

/* The kernel's fault injection: an allocation that this thread's calls come to fails. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"

/* A descriptor for the two below. */
static inline int
fail_nth_open(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", syscall(SYS_gettid));
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

/* The nth from now on, counted from 1. */
static inline void
fail_nth_arm(int fd, int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", nth);

	CHECK(pwrite(fd, text, (size_t)n, 0) == n);
}

/* How many failures are still to come: 0, it has happened. */
static inline int
fail_nth_disarm(int fd)
{
	char text[16] = "";

	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	CHECK(pwrite(fd, "0", 1, 0) == 1);
	return atoi(text);
}

#endif /* FAIL_NTH_H */
