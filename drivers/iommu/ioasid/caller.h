/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_CALLER_H
#define IOASID_CALLER_H

/*
 * Who calls rte_vfio.h, by the return address of the call. In a static application that
 * is the application itself, whatever part of it calls.
 */

#include <stdbool.h>

#define CALLER __builtin_return_address(0)

/* The file that a return address lies in: "librte_bus_fslmc.so.23". Never NULL. */
const char *caller_name(const void *address);

/* librte_eal itself. */
bool caller_is_eal(const void *address);

/*
 * A bus or driver that makes VFIO's group and container ioctls itself on the descriptors
 * it gets: only stock EAL's are good for it.
 */
bool caller_needs_groups(const void *address);

#endif /* IOASID_CALLER_H */
