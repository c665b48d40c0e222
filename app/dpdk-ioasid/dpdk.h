/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_DPDK_H
#define IOASID_DPDK_H

#include <jansson.h>

/* The DPDKs that are installed with shared libraries: [{abi, releases, path}, …] */
json_t *dpdk_installed(void);

/* "22.11.4", as a librte_eal.so says it: 0 or -ENOENT. */
int dpdk_version(const char *eal, char *version, size_t size);

#endif /* IOASID_DPDK_H */
