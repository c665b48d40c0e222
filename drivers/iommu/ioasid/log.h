/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_LOG_H
#define IOASID_LOG_H

/*
 * One rte_log type, "iommu.ioasid", and not one a component: --log-level takes a glob
 * that must match the whole name, and iommu.ioasid:debug is what people type.
 */

#include <rte_common.h>
#include <rte_log.h>

extern int ioasid_logtype;

#define IOASID_LOG(level, ...)                                                                     \
	rte_log(RTE_LOG_##level, ioasid_logtype,                                                   \
		RTE_FMT("IOASID: " RTE_FMT_HEAD(__VA_ARGS__, ) "\n", RTE_FMT_TAIL(__VA_ARGS__, )))

#endif /* IOASID_LOG_H */
