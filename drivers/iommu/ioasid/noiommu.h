/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_NOIOMMU_H
#define IOASID_NOIOMMU_H

/*
 * VFIO's no-IOMMU mode: it hands out devices that nothing keeps from all memory of the
 * machine. There are no I/O address spaces then: only stock EAL can use them.
 */

#include <stdbool.h>

/* The machine has no IOMMU, or it is off, and the user has switched the mode on. */
bool noiommu_machine(void);

/* Whether VFIO has the device in this mode. */
bool noiommu_device(const char *sysfs, const char *bdf);

/* Whether the user accepts such a device: 0 or -EPERM, said in the log either way. */
int noiommu_check(const char *bdf);

#endif /* IOASID_NOIOMMU_H */
