/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SPACE_H
#define IOASID_SPACE_H

/* The process's one open /dev/ioasid, and the IOASID that holds DPDK's memory. */

#include <ioasid.h>

/*
 * Open /dev/ioasid and allocate the default IOASID, once: 0 or -errno, with the
 * sentence in ioasid_error(). Thread-safe.
 */
int space_open(void);

/* The context, NULL before space_open() succeeded. */
struct ioasid_ctx *space_ctx(void);

/* The default IOASID: default container in DPDK's words. 0 before space_open(). */
uint32_t space_default(void);

/*
 * For threads that the application does not know of: until space_unhold() the context
 * cannot be closed. NULL if it is not open; space_unhold() also then.
 */
struct ioasid_ctx *space_hold(void);
void space_unhold(void);

/* Close it; maps and IOASIDs go with it. Devices must have left. */
void space_close(void);

#endif /* IOASID_SPACE_H */
