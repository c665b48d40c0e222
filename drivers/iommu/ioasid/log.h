/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_LOG_H
#define IOASID_LOG_H

/* One rte_log type a component, so that --log-level=iommu.ioasid.memory:debug works. */

#include <rte_common.h>
#include <rte_log.h>

extern int ioasid_logtype_init;
extern int ioasid_logtype_device;
extern int ioasid_logtype_memory;

#define IOASID_LOG(level, component, ...) \
	rte_log(RTE_LOG_ ## level, ioasid_logtype_ ## component, \
		RTE_FMT("IOASID: " RTE_FMT_HEAD(__VA_ARGS__,) "\n", RTE_FMT_TAIL(__VA_ARGS__,)))

#endif /* IOASID_LOG_H */
