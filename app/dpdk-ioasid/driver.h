/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_DRIVER_H
#define IOASID_DRIVER_H

/* Which driver has a device, through sysfs; each failure is said on stderr. */

#include <stdbool.h>
#include <stddef.h>

#define VFIO_PCI "vfio-pci"

void driver_read(const char *bdf, char *name, size_t size);

/* Load the module of vfio-pci if need be: whether the driver is there. */
bool driver_have_vfio(void);

/*
 * Take a device from the driver it is on, if any, and let `name` have it, and none else
 * from now on; NULL: the one that the kernel chooses. 0 or -errno.
 */
int driver_change(const char *bdf, const char *name);

#endif /* IOASID_DRIVER_H */
