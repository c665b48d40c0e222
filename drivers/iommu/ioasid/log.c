/* SPDX-License-Identifier: BSD-3-Clause */

#include "log.h"

RTE_LOG_REGISTER(ioasid_logtype, iommu.ioasid, INFO)
