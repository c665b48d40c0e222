/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_LATECOMERS_H
#define IOASID_LATECOMERS_H

/*
 * Devices that are there and have no IOMMU group yet. Some of the kernel's IOMMU drivers put a
 * device into its group only when a driver is about to take it (virtio-iommu's of Linux 6.12,
 * Arm's by device tree), however long after the event that told of it; and if that driver may
 * not have it, since the group is in use, no other event follows. So they are looked at again,
 * at growing intervals, until they have a group or have gone.
 *
 * All but the end is by EAL's interrupt thread.
 */

/* Wants to know of a device that has come to its group. */
typedef void latecomers_told(const char *devices, const char *bdf);

/* Of a device that the kernel has told of: nothing if it has a group. Always the same function. */
void latecomers_look(const char *devices, const char *bdf, latecomers_told *told);

/* No device is looked at any more, and none may be added. */
void latecomers_end(void);

#endif /* IOASID_LATECOMERS_H */
