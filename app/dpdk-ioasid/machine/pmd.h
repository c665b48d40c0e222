/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MACHINE_PMD_H
#define MACHINE_PMD_H

#include "machine/model.h"

/* What DPDK has for a device. */
struct pmd pmd_find(const struct device *device);

#endif /* MACHINE_PMD_H */
