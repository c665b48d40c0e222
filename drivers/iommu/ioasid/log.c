/* SPDX-License-Identifier: BSD-3-Clause */

#include "log.h"

RTE_LOG_REGISTER(ioasid_logtype_init, iommu.ioasid.init, INFO)
RTE_LOG_REGISTER(ioasid_logtype_device, iommu.ioasid.device, INFO)
RTE_LOG_REGISTER(ioasid_logtype_memory, iommu.ioasid.memory, INFO)
