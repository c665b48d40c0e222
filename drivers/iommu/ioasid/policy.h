/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_POLICY_H
#define IOASID_POLICY_H

/*
 * What lib/ioasid is to know of this process's user: whom he named (explicit_set.h), how
 * devices join (--allow-insecure-vfio, --vfio-device-fd, EAL's --vfio-vf-token), who
 * listens for the removal of a device that only joined (removal.h), and how things are told
 * (report.h).
 */

#include <ioasid.h>

extern const struct ioasid_policy policy;

#endif /* IOASID_POLICY_H */
