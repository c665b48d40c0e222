/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef JUDGE_LIST_H
#define JUDGE_LIST_H

#include "judge/judge.h"

#define JUDGEMENT(name)                                                                            \
	enum outcome name(const struct situation *situation, struct finding *finding)

/* judge/device.c: the device itself */
JUDGEMENT(judge_device_kind);
JUDGEMENT(judge_platform_device);
JUDGEMENT(judge_bifurcated);
JUDGEMENT(judge_dpdk_driver);
JUDGEMENT(judge_in_use);
JUDGEMENT(judge_holders);
JUDGEMENT(judge_vfio_ids);

/* judge/group.c: its group */
JUDGEMENT(judge_iommu_group);
JUDGEMENT(judge_firmware_map);
JUDGEMENT(judge_platform_member);
JUDGEMENT(judge_member_in_use);
JUDGEMENT(judge_group_members);

/* judge/isolation.c: what the kernel's groups do not show */
JUDGEMENT(judge_interrupts);
JUDGEMENT(judge_interrupts_unsafe);
JUDGEMENT(judge_virtio_dma);
JUDGEMENT(judge_acs_override);
JUDGEMENT(judge_acs_off);
JUDGEMENT(judge_external);

/* judge/kernel.c: what the kernel and its nodes allow */
JUDGEMENT(judge_vfio_denylist);
JUDGEMENT(judge_vfio_driver);
JUDGEMENT(judge_iommufd);
JUDGEMENT(judge_device_nodes);
JUDGEMENT(judge_node_access);

/* judge/guard.c: what the guard would do */
JUDGEMENT(judge_guard);

/* judge/memory.c: memory and programs */
JUDGEMENT(judge_hugepages);
JUDGEMENT(judge_hugepages_node);
JUDGEMENT(judge_hugepages_mount);
JUDGEMENT(judge_locked_memory);
JUDGEMENT(judge_programs);

#endif /* JUDGE_LIST_H */
