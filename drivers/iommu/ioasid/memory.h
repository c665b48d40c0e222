/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_MEMORY_H
#define IOASID_MEMORY_H

/* DPDK's memory in the default IOASID: memsegs to maps, kept true by memory events. */

#include <stdbool.h>
#include <stdint.h>

struct rte_memseg;
struct rte_memseg_list;

/* Whether a page of EAL's is to be mapped. */
bool memory_is_for_devices(const struct rte_memseg_list *msl, const struct rte_memseg *ms);

/*
 * Map all memory and follow its changes, once a process: 0 or -errno, said in the
 * log; after a failure none of it is mapped. Takes EAL's memory lock, but not for as long as
 * the kernel pins.
 */
int memory_setup(void);

/*
 * rte_eal_cleanup() has begun: pages that could never be freed are freed from now on.
 * Their large maps cannot shrink; they go as a whole when the IOASID goes.
 */
void memory_set_closing(void);

/* The default IOASID has gone, with all that was mapped: as at the beginning. */
void memory_end(void);

/* Whether memory_setup() has succeeded: a device could use it. */
bool memory_is_set_up(void);

#endif /* IOASID_MEMORY_H */
