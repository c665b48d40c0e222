/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BINDING_DRIVER_H
#define BINDING_DRIVER_H

/* Which driver has a device, through sysfs; each failure is said on stderr. */

#include <stdbool.h>
#include <stddef.h>

#include "machine/model.h"

#define VFIO_PCI "vfio-pci"

/* Load the module of vfio-pci if need be: whether the driver is there. */
bool driver_have_vfio(void);

/*
 * Take a device from the driver it is on, if any, and let `name` have it; NULL: the one that the
 * kernel chooses, of VFIO's none. No driver_override is left that was not there before. 0, or
 * -errno: then the device is where it was.
 */
int driver_change(const struct device *device, const char *name);

/* Put a device back where the model has it, after driver_change(). */
void driver_restore(const struct device *device);

#endif /* BINDING_DRIVER_H */
