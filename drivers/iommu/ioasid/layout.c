/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_memory.h>

#include "layout.h"

/* As short as getopt_long() takes it for no other option of EAL's. */
#define MATCH_ALLOCATIONS     "--match-allocations"
#define MATCH_ALLOCATIONS_MIN 5

/*
 * Where each page is a file of its own, memory below this is one map by address and not one
 * by file for each page: a few milliseconds are not worth hundreds of calls.
 */
#define FILE_PER_PAGE_MIN (UINT64_C(1) << 30)

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

bool
layout_join(struct layout_area *area, const struct layout_area *page)
{
	if (!is_at_end(area, page))
		return false;
	if (area->fd != page->fd) {
		if (area->msl->page_sz * area->msl->memseg_arr.count >= FILE_PER_PAGE_MIN)
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
