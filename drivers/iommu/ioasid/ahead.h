/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_AHEAD_H
#define IOASID_AHEAD_H

/*
 * EAL sets devices up one after the other, and each is reset when it joins. So with the
 * first one all that -a names join, side by side, and the others find themselves joined when
 * their turn comes. What goes wrong ahead is not told: in its own turn the device tries again.
 */

/* EAL's start begins: from now on devices may join ahead. Again: nothing happens. */
void ahead_begin(void);

/* A device is about to be set up: with the first one, all join. */
void ahead_join(const char *sysfs);

/* All devices have been set up: those that nobody wanted leave. Again: nothing happens. */
void ahead_end(void);

#endif /* IOASID_AHEAD_H */
