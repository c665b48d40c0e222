/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_JOIN_H
#define IOASID_JOIN_H

/*
 * JOIN as the user asked for it: with --allow-insecure-vfio, --vfio-device-fd and EAL's
 * --vfio-vf-token. 0 or -errno, with the sentence in ioasid_error().
 */

#include <ioasid.h>

int join_device(const char *sysfs, const char *bdf, struct ioasid_device **dev);

#endif /* IOASID_JOIN_H */
