/* SPDX-License-Identifier: BSD-3-Clause */

/* All judgements. Of those that are equally bad the first is the reason of the verdict. */

#include "judge/list.h"

#define TOLD VERDICT_ISOLATED

const struct judgement judgements[] = {
	/* what no command puts right */
	{ "device-kind", VERDICT_CANNOT, VERDICT_UNKNOWN, false, judge_device_kind },
	{ "platform-device", VERDICT_CANNOT, VERDICT_UNKNOWN, false, judge_platform_device },
	{ "bifurcated", VERDICT_CANNOT, TOLD, true, judge_bifurcated },
	{ "iommu-group", VERDICT_CANNOT, VERDICT_UNKNOWN, false, judge_iommu_group },
	{ "firmware-map", VERDICT_CANNOT, VERDICT_UNKNOWN, false, judge_firmware_map },
	{ "interrupts", VERDICT_CANNOT, TOLD, false, judge_interrupts },
	{ "platform-member", VERDICT_CANNOT, VERDICT_UNKNOWN, false, judge_platform_member },
	{ "member-in-use", VERDICT_CANNOT, VERDICT_UNKNOWN, true, judge_member_in_use },
	{ "vfio-denylist", VERDICT_CANNOT, TOLD, false, judge_vfio_denylist },
	{ "virtio-dma", VERDICT_CANNOT, VERDICT_UNKNOWN, true, judge_virtio_dma },

	/* isolation that only looks so */
	{ "acs-override", VERDICT_EXPOSED, VERDICT_UNKNOWN, true, judge_acs_override },
	{ "acs-off", VERDICT_EXPOSED, VERDICT_UNKNOWN, true, judge_acs_off },

	/* the group rule */
	{ "group-members", VERDICT_SHARED, VERDICT_UNKNOWN, true, judge_group_members },

	/* what can be put right, or is good to know */
	{ "in-use", TOLD, TOLD, true, judge_in_use },
	{ "holders", TOLD, TOLD, true, judge_holders },
	{ "dpdk-driver", TOLD, TOLD, true, judge_dpdk_driver },
	{ "external", TOLD, TOLD, true, judge_external },
	{ "interrupts-unsafe", TOLD, TOLD, true, judge_interrupts_unsafe },
	{ "vfio-driver", TOLD, TOLD, true, judge_vfio_driver },
	{ "vfio-ids", TOLD, TOLD, true, judge_vfio_ids },
	{ "iommufd", TOLD, TOLD, true, judge_iommufd },
	{ "device-nodes", TOLD, TOLD, true, judge_device_nodes },
	{ "node-access", TOLD, TOLD, true, judge_node_access },
	{ "hugepages", TOLD, TOLD, true, judge_hugepages },
	{ "hugepages-node", TOLD, TOLD, true, judge_hugepages_node },
	{ "hugepages-mount", TOLD, TOLD, true, judge_hugepages_mount },
	{ "guard", TOLD, TOLD, true, judge_guard },
	{ "locked-memory", TOLD, TOLD, true, judge_locked_memory },
	{ "programs", TOLD, TOLD, true, judge_programs },
};

const unsigned int njudgements = sizeof(judgements) / sizeof(judgements[0]);
