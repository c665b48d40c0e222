/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_DEVICE_H
#define IOASID_DEVICE_H

/*
 * The devices that DPDK uses. EAL knows them by name: here a name becomes a handle, and
 * nothing waits but the set-up and the release of a device themselves.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Set a device up: join it, attach it under the group rule, map DPDK's memory.
 *
 * fd: the device's; it stays ours, device_release() closes it.
 * 0 or -errno, said in the log; after a failure all is as it was before.
 */
int device_setup(const char *sysfs, const char *bdf, int *fd);

/*
 * Stock EAL is to set a device up, and attaches its group: what the group rule says before,
 * 0 or -errno, said in the log. Then it is one in use, until device_release(). Devices
 * without an IOMMU group, or that there are not, are stock EAL's business: 0.
 */
int device_admit(const char *sysfs, const char *bdf);

/* The rule after stock EAL has attached it: 0 or -errno, said in the log. */
int device_admitted(const char *bdf);

/* Stock EAL could not attach it: the kernel forbids it (EPERM). */
void device_forbidden(const char *bdf);

/* The rule for a whole group that somebody opens by its number to attach it: the same. */
int device_admit_group(unsigned int number);

/* Release a device: it is reset, unless the end has begun. 0 or -ENODEV: was not set up. */
int device_release(const char *bdf);

/* What another process gets of a device. */
struct device_share {
	int fd; /* a copy, close-on-exec, for close() */
	uint32_t id;
	uint32_t ioasid;
};

/*
 * Share a device that is set up; or, with NULL, tell whether it has joined. Never
 * waits. 0; -ENODEV; -EAGAIN its set-up or release is under way; or no fd left: -EMFILE.
 */
int device_share(const char *bdf, struct device_share *share);

/* Whether DPDK uses the device; else it only joined, for the sake of its group. */
bool device_in_use(const char *bdf);

/*
 * The end: from now on a device that is released only stops, and stays joined and attached, for
 * device_leave_all().
 */
void device_set_closing(void);

/* Release all that are not yet. */
void device_retire_all(void);

/* All that have joined leave, side by side. */
void device_leave_all(void);

#endif /* IOASID_DEVICE_H */
