/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "iova_fit.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "space.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

struct fit {
	struct ioasid_range *ranges;
	unsigned int nranges;
	/* the first piece of contiguous memory that does not fit; 0, 0: none */
	struct ioasid_range misfit;
	/* where DPDK's memory begins and ends in the process */
	struct ioasid_range va;
	uint64_t page; /* the largest size */
};

static bool
fits(const struct fit *fit, uint64_t start, uint64_t last)
{
	for (unsigned int i = 0; i < fit->nranges; i++)
		if (start >= fit->ranges[i].start && last <= fit->ranges[i].last)
			return true;
	return false;
}

static int
look_at_page(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	struct fit *fit = arg;
	const uint64_t last = ms->iova + ms->len - 1;

	if (!memory_is_for_devices(msl, ms))
		return 0;
	fit->va.start = RTE_MIN(fit->va.start, ms->addr_64);
	fit->va.last = RTE_MAX(fit->va.last, ms->addr_64 + ms->len - 1);
	fit->page = RTE_MAX(fit->page, msl->page_sz);
	if (fits(fit, ms->iova, last))
		return 0;
	if (fit->misfit.last == 0)
		fit->misfit = (struct ioasid_range){ ms->iova, last };
	else if (fit->misfit.last + 1 == ms->iova)
		fit->misfit.last = last;
	return 0;
}

/*
 * EAL places its memory from --base-virtaddr on, behind little of its own. Addresses
 * below 4 GiB are the second choice: the program may be there.
 */
static bool
base_in_range(const struct fit *fit, const struct ioasid_range *r, uint64_t *base)
{
	const uint64_t page = RTE_MAX(fit->page, 2 * MIB);
	const uint64_t need = fit->va.last - fit->va.start + 1 + page;

	for (uint64_t lowest = 4 * GIB; lowest >= 256 * MIB; lowest /= 16) {
		*base = RTE_ALIGN_CEIL(RTE_MAX(r->start, lowest), page);
		if (*base >= r->start && *base <= r->last && r->last - *base >= need - 1)
			return true;
	}
	return false;
}

static void
describe_ranges(const struct fit *fit, char *buf, size_t size)
{
	size_t used = 0;

	snprintf(buf, size, "nothing");
	for (unsigned int i = 0; i < fit->nranges && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s0x%" PRIx64 "-0x%" PRIx64,
					 i > 0 ? ", " : "", fit->ranges[i].start,
					 fit->ranges[i].last);
}

static void
describe_way_out(const struct fit *fit, char *buf, size_t size)
{
	uint64_t base;

	if (rte_eal_iova_mode() == RTE_IOVA_PA) {
		snprintf(buf, size, "start with --iova-mode=va");
		return;
	}
	for (unsigned int i = fit->nranges; i-- > 0;) {
		if (base_in_range(fit, &fit->ranges[i], &base)) {
			snprintf(buf, size, "start with --base-virtaddr=0x%" PRIx64, base);
			return;
		}
	}
	snprintf(buf, size, "no range has room for the %" PRIu64 " MiB from first to last of it",
		 (fit->va.last - fit->va.start + 1) / MIB);
}

static void
report(const struct fit *fit, const char *bdf)
{
	char ranges[512], way_out[128];

	describe_ranges(fit, ranges, sizeof(ranges));
	describe_way_out(fit, way_out, sizeof(way_out));
	IOASID_LOG(ERR,
		   "%s refused: DPDK's memory at IOVA 0x%" PRIx64 "-0x%" PRIx64
		   " is out of its reach.\n  Its IOMMU can address%s: %s\n  Way out: %s",
		   bdf, fit->misfit.start, fit->misfit.last,
		   options.window.length > 0 ? " within --ioasid-iova-window" : "", ranges,
		   way_out);
}

/* Frees the ranges; whether DPDK's memory fits, and if not, said in the log. */
static bool
look(struct fit *fit, const char *bdf)
{
	bool ok;

	rte_memseg_walk(look_at_page, fit);
	ok = fit->misfit.last == 0;
	if (!ok)
		report(fit, bdf);
	free(fit->ranges);
	return ok;
}

int
iova_fit_check(const char *bdf)
{
	struct fit fit = { .va.start = UINT64_MAX };
	int ret = ioasid_iova_ranges(space_ctx(), space_default(), &fit.ranges, &fit.nranges);

	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	return look(&fit, bdf) ? 0 : -ERANGE;
}

bool
iova_fit_explain(struct ioasid_device *dev)
{
	struct fit fit = { .va.start = UINT64_MAX };

	/* The refusal's own sentence is told then. */
	if (ioasid_device_reach(dev, space_default(), &fit.ranges, &fit.nranges) < 0)
		return false;
	return !look(&fit, ioasid_device_bdf(dev));
}
