/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_IOVA_FIT_H
#define IOASID_IOVA_FIT_H

/* Whether DPDK's memory lies where a device can reach it, before the device is attached. */

#include <ioasid.h>

/*
 * 0, or -ERANGE, said in the log with the ranges and what to do. Also 0 if the kernel
 * cannot tell: then it refuses the maps. Takes EAL's memory lock.
 */
int iova_fit_check(struct ioasid_device *dev);

#endif /* IOASID_IOVA_FIT_H */
