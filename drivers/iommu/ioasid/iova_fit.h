/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_IOVA_FIT_H
#define IOASID_IOVA_FIT_H

/* Whether DPDK's memory lies where a device can reach it. All take EAL's memory lock. */

#include <stdbool.h>

#include <ioasid.h>

/*
 * Ask of the default IOASID with the device attached, before anything more is mapped: 0;
 * -ERANGE, said in the log with the ranges and what to do; -errno if it cannot be asked.
 */
int iova_fit_check(const char *bdf);

/*
 * The kernel refused to attach a device for its addresses: whether DPDK's memory is the
 * reason; then it is said in the log.
 */
bool iova_fit_explain(struct ioasid_device *dev);

#endif /* IOASID_IOVA_FIT_H */
