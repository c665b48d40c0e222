/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_DPDK_H
#define IOASID_DPDK_H

#include <jansson.h>

/* The DPDKs that are installed with shared libraries: [{abi, releases, path}, …] */
json_t *dpdk_installed(void);

#endif /* IOASID_DPDK_H */
