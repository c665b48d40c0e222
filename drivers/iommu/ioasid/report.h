/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_REPORT_H
#define IOASID_REPORT_H

/* What the user is told about an IOMMU group: the words, nothing else. */

#include <ioasid.h>

/* Of what lib/ioasid has found. */
void report_news(const struct ioasid_report *report);

enum report_doing { REPORT_JOIN, REPORT_ATTACH, REPORT_MAP };

/*
 * Log the sentence of a call of lib/ioasid that failed with -errno, and what the user of
 * DPDK can type then: the library knows none of its options.
 */
void report_failure(enum report_doing doing, int err);

#endif /* IOASID_REPORT_H */
