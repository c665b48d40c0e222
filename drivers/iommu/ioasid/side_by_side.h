/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SIDE_BY_SIDE_H
#define IOASID_SIDE_BY_SIDE_H

/*
 * The plugin's threads: they share work that waits for devices, or that several processors do
 * sooner than one, and end with it. There are none while packets may flow, so they exist only
 * within rte_eal_init() and rte_eal_cleanup(). Signals are not for them, they are all blocked.
 * They may run wherever the process could before EAL bound its main thread to one processor.
 */

#include <stdbool.h>

/* Look where the process may run: before EAL binds threads. */
void side_by_side_note_processors(void);

/* From now on threads may be made, or not: rte_eal_init() or rte_eal_cleanup() is under way. */
void side_by_side_allow(bool allowed);
bool side_by_side_is_allowed(void);

/* How many threads at most can compute at a time: 1 where none may be made. */
unsigned int side_by_side_processors(void);

/*
 * Call fn(0, arg) to fn(n - 1, arg), in this order, by up to so many threads, of which the
 * caller is one; return when all have returned. Threads that cannot be made are done without,
 * down to the caller alone.
 */
void side_by_side(void (*fn)(unsigned int i, void *arg), unsigned int n, void *arg,
		  unsigned int threads);

#endif /* IOASID_SIDE_BY_SIDE_H */
