/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_DEVICE_H
#define IOASID_DEVICE_H

/* The devices that DPDK uses or that joined for the sake of their group. */

#include <stdbool.h>
#include <stdint.h>

/*
 * Set a device up: join it and the named members of its group, decide by the group
 * rule, attach them, map DPDK's memory.
 *
 * fd: the device's; it stays ours, device_release() closes it.
 * 0 or -errno, said in the log; after a failure what the call had joined has left.
 */
int device_setup(const char *sysfs, const char *bdf, int *fd);

/*
 * Release a device. When it was the last one in use of its group, the members that
 * only joined leave, too. 0 or -ENODEV: was not set up.
 */
int device_release(const char *bdf);

/*
 * Move the devices of a group that are attached to another IOASID: 0, also if there are
 * none, or -errno, said in the log; then they stay where they were.
 */
int device_move_group(unsigned int group, uint32_t ioasid);

/* What another process gets of a device. */
struct device_share {
	int fd; /* a copy, close-on-exec, for close() */
	uint32_t id;
	uint32_t ioasid;
};

/*
 * Share a device that is set up; or, with NULL, tell whether it has joined. Never
 * waits. 0; -ENODEV; -EAGAIN a set-up or release is under way; or no fd left: -EMFILE.
 */
int device_share(const char *bdf, struct device_share *share);

/*
 * Follow DPDK's device events: those of removals come always, others once the application
 * has started its monitor. Devices that come into a group in use are then reported.
 */
void device_follow_events(void);

/* EAL is about to end its interrupt thread. */
void device_ignore_events(void);

/* Whether DPDK uses the device; else it only joined, for the sake of its group. */
bool device_in_use(const char *bdf);

/* Release everything. */
void device_release_all(void);

#endif /* IOASID_DEVICE_H */
