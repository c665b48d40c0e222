/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MACHINE_NETNS_H
#define MACHINE_NETNS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether another network namespace has an interface of the PCI device, as far as processes and
 * `ip netns` show namespaces and this user may enter them: `where` says which interface, and
 * whose it is.
 */
bool netns_find(const char *bdf, char *where, size_t size);

#endif /* MACHINE_NETNS_H */
