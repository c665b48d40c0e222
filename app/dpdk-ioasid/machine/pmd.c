/* SPDX-License-Identifier: BSD-3-Clause */

/* The devices that DPDK has drivers for, from these drivers' own tables (buildtools/pmd-table). */

#include <string.h>

#include "machine/pmd.h"

#define ANY 0xffff

static const struct row {
	uint16_t ids[4]; /* vendor and device, of the subsystem too */
	bool bifurcated;
	const char *name;
} table[] = {
#include "pmd_table.h"
	/* Where DPDK was built without RDMA's libraries it has not these two. */
	{ { 0x15b3, ANY, ANY, ANY }, true, "mlx4 or mlx5" },
	{ { 0x1414, 0x00ba, ANY, ANY }, true, "net_mana" },
};

/* Of all devices of a vendor the network's. */
static bool
is_for(const struct row *row, const struct device *device)
{
	const struct ioasid_member *m = &device->member;
	const uint16_t ids[] = { m->vendor, m->device, device->subsystem[0], device->subsystem[1] };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (row->ids[i] != ids[i] && row->ids[i] != ANY)
			return false;
	return row->ids[1] != ANY || m->class_code >> 16 == 0x02;
}

struct pmd
pmd_find(const struct device *device)
{
	struct pmd pmd = { NO, false, NULL };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct row *row = &table[i];

		if (!is_for(row, device))
			continue;
		if (pmd.has != YES || !row->bifurcated)
			pmd.name = row->name;
		/* One driver on VFIO is enough. */
		pmd.bifurcated = row->bifurcated && (pmd.has != YES || pmd.bifurcated);
		pmd.has = YES;
	}
	return pmd;
}
