/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_USER_MAP_H
#define IOASID_USER_MAP_H

/* Maps that the application asks for, beside DPDK's own memory. */

#include <stdint.h>

/*
 * 0 or -errno, said in the log. As under stock EAL what is mapped already is no error, and
 * each success is to be unmapped once; -ENODEV, not said, in the default IOASID before a
 * device has been set up.
 */
int user_map(uint32_t ioasid, uint64_t va, uint64_t iova, uint64_t length);

/* 0; -EINVAL not mapped; -ENOTSUP a part of a map: as stock EAL, said in the log. */
int user_unmap(uint32_t ioasid, uint64_t iova, uint64_t length);

/* An IOASID goes, with its maps; 0: all do. */
void user_map_forget(uint32_t ioasid);

#endif /* IOASID_USER_MAP_H */
