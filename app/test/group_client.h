/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GROUP_CLIENT_H
#define GROUP_CLIENT_H

/* Use a device by its VFIO group and an own container: 0; -1, said on stdout. */
__attribute__((visibility("default"))) int group_client(const char *sysfs, const char *bdf);

#endif /* GROUP_CLIENT_H */
