/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_memory.h>

#include "layout.h"

/* As short as getopt_long() takes it for no other option of EAL's. */
#define MATCH_ALLOCATIONS     "--match-allocations"
#define MATCH_ALLOCATIONS_MIN 5

/*
 * Of less memory all that is contiguous is one map, by address if each page is a file of its
 * own: a few milliseconds are not worth hundreds of calls, nor threads.
 */
#define MUCH (UINT64_C(1) << 30)

/*
 * Of more no area goes on past a multiple of this, so that several threads can map the memory
 * and unmap it. Areas of this size are mapped as fast as larger ones, and of larger ones the
 * last is waited for too long (doc/guides/performance.rst).
 */
#define AREA_SIZE (UINT64_C(256) << 20)
/*
 * Where IOVAs are physical addresses hugepages are often one behind the other, and entries of
 * 1 GiB in the IOMMU's page table are not to be broken up.
 */
#define PHYSICAL_AREA_SIZE (UINT64_C(1) << 30)

static bool matches_allocations;

/*
 * The file behind a page. There is none for external memory, nor for memory without
 * hugepages on a system without memfd. EAL maps its files shared: the file's page is the
 * process's page.
 */
static void
find_file(const struct rte_memseg *ms, struct layout_area *page)
{
	size_t offset;
	int fd = rte_memseg_get_fd_thread_unsafe(ms);

	if (fd < 0 || rte_memseg_get_fd_offset_thread_unsafe(ms, &offset) < 0)
		return;
	page->fd = fd;
	page->offset = offset;
}

/* External memory is added and removed as one piece. */
static bool
may_be_freed_alone(const struct layout *layout, const struct rte_memseg_list *msl,
		   const struct rte_memseg *ms)
{
	return !layout->never_freed && !layout->freed_whole && !msl->external &&
	       !(ms->flags & RTE_MEMSEG_FLAG_DO_NOT_FREE);
}

struct layout_area
layout_page(const struct layout *layout, const struct rte_memseg_list *msl,
	    const struct rte_memseg *ms)
{
	struct layout_area page = {
		.va = ms->addr_64,
		.iova = ms->iova,
		.length = ms->len,
		.msl = msl,
		.fd = -1,
		.alone = may_be_freed_alone(layout, msl, ms),
	};

	/* By address the kernel pins 4 KiB at a time. */
	if (layout->by_file && !msl->external)
		find_file(ms, &page);
	return page;
}

static bool
is_at_end(const struct layout_area *area, const struct layout_area *page)
{
	return area->length > 0 && !area->alone && !page->alone && area->msl == page->msl &&
	       area->va + area->length == page->va && area->iova + area->length == page->iova;
}

bool
layout_is_other_file(const struct layout_area *area, const struct layout_area *page)
{
	return is_at_end(area, page) && area->fd != page->fd;
}

static bool
is_much(const struct rte_memseg_list *msl)
{
	return msl->page_sz * msl->memseg_arr.count >= MUCH;
}

static bool
begins_an_area(const struct layout_area *page)
{
	return page->iova % (page->iova == page->va ? AREA_SIZE : PHYSICAL_AREA_SIZE) == 0;
}

bool
layout_join(struct layout_area *area, const struct layout_area *page)
{
	const bool much = is_much(page->msl);

	if (!is_at_end(area, page) || (much && begins_an_area(page)))
		return false;
	if (area->fd != page->fd) {
		if (much)
			return false;
		area->fd = -1;
	} else if (area->fd >= 0 && area->offset + area->length != page->offset) {
		return false;
	}
	area->length += page->length;
	return true;
}

void
layout_read_eal_args(int argc, char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strlen(argv[i]) >= MATCH_ALLOCATIONS_MIN &&
		    strncmp(argv[i], MATCH_ALLOCATIONS, strlen(argv[i])) == 0)
			matches_allocations = true;
}

bool
layout_matches_allocations(void)
{
	return matches_allocations;
}
