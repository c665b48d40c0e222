/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SPACE_H
#define IOASID_SPACE_H

/*
 * The process's contexts: the one open /dev/ioasid, with the IOASID that holds DPDK's
 * memory; and the group rule alone, for what stock EAL attaches.
 */

#include <ioasid.h>

/* PCI's directory of devices, where lib/ioasid is to be given one and EAL gives none. */
#define SYSFS_PCI "/sys/bus/pci/devices"

/*
 * Open /dev/ioasid and allocate the default IOASID, once: 0 or -errno, with the
 * sentence in ioasid_error(). Thread-safe.
 */
int space_open(void);

/* The same for the context of the group rule. */
int space_open_rule(void);

/* The context, NULL before space_open() succeeded. */
struct ioasid_ctx *space_ctx(void);

/* That of the group rule, NULL before space_open_rule() succeeded. */
struct ioasid_ctx *space_rule(void);

/* The default IOASID: default container in DPDK's words. 0 before space_open(). */
uint32_t space_default(void);

/*
 * For threads that the application does not know of: until space_unhold() no context can
 * be closed. Those who hold do not wait for each other. The context, NULL if it is not
 * open; space_unhold() also then.
 */
struct ioasid_ctx *space_hold(void);
void space_unhold(void);

/* Close them; maps and IOASIDs go, and devices leave. */
void space_close(void);

#endif /* IOASID_SPACE_H */
