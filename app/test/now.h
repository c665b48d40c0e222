/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef NOW_H
#define NOW_H

/* The clock of what measures. */

#include <time.h>

static inline double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#endif /* NOW_H */
