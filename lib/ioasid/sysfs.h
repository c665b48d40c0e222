/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SYSFS_H
#define IOASID_SYSFS_H

/*
 * What the kernel says of devices and IOMMU groups in sysfs, and of itself in procfs: the
 * one place that reads them. All functions: 0 or -errno with the sentence set, and what
 * cannot be read is never an answer.
 */

#include <sys/types.h>

#include "ioasid.h"

/*
 * A group by its number. devices: any directory of devices, "/sys/bus/pci/devices", from
 * which the groups are found. -ENOENT: there is no such group.
 */
int sysfs_read_group(const char *devices, unsigned int number, struct ioasid_group_info **info);

/* The number of a device's cdev. -ENOENT: the kernel's VFIO has no device cdevs. */
int sysfs_cdev_number(const char *devices, const struct ioasid_member *m, dev_t *rdev);

/* Whether a device is an SR-IOV physical function. */
int sysfs_is_physical_function(const char *devices, const char *bdf, bool *physical);

/* Whether a reserved region really may not be mapped. */
bool sysfs_reserves(const struct ioasid_reserved *r);

#endif /* IOASID_SYSFS_H */
