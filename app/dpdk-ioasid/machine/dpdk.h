/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MACHINE_DPDK_H
#define MACHINE_DPDK_H

#include <stddef.h>

/* "22.11.4", as a librte_eal.so says it: 0 or -ENOENT. */
int dpdk_version(const char *eal, char *version, size_t size);

#endif /* MACHINE_DPDK_H */
