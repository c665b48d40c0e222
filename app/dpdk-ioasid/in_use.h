/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_IN_USE_H
#define IOASID_IN_USE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether the system uses a device: a disk that is mounted, swapped to or part of
 * another, a network interface that has an address or is part of another. `why` is the
 * first of these.
 */
bool in_use(const char *bdf, char *why, size_t size);

#endif /* IOASID_IN_USE_H */
