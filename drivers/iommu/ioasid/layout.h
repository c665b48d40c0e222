/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_LAYOUT_H
#define IOASID_LAYOUT_H

/*
 * How DPDK's memory is mapped: which pages go into one area, and what it is made from.
 * An area is one map call, and the kernel can only unmap it whole.
 */

#include <stdbool.h>
#include <stdint.h>

struct rte_memseg;
struct rte_memseg_list;

/* What holds for a whole walk over pages. */
struct layout {
	bool by_file;     /* the kernel can map by file */
	bool never_freed; /* EAL frees no page at run time: legacy memory, no hugepages */
	bool freed_whole; /* EAL frees these pages together or not at all */
};

struct layout_area {
	uint64_t va;
	uint64_t iova;
	uint64_t length; /* 0: none */
	const struct rte_memseg_list *msl;
	int fd; /* -1: by address */
	uint64_t offset;
	bool alone; /* may be freed by itself, so that nothing is to be joined to it */
};

/* A page as an area of its own. EAL's memory lock is held. */
struct layout_area layout_page(const struct layout *layout, const struct rte_memseg_list *msl,
			       const struct rte_memseg *ms);

/* Whether a page is where an area ends, but of another file: by file they are two maps. */
bool layout_is_other_file(const struct layout_area *area, const struct layout_area *page);

/*
 * Include a page in an area if both can be one map; by address, if that is worth more than
 * the file. Of 1 GiB and more none goes on past a multiple of 256 MiB (1 GiB where IOVAs are not
 * VAs). False: the page begins another area.
 */
bool layout_join(struct layout_area *area, const struct layout_area *page);

/*
 * Look for --match-allocations among EAL's arguments: then memory is freed exactly as it
 * was allocated, and what one event brings can be one area. Not seen, as with a plugin
 * loaded by -d, is no harm.
 */
void layout_read_eal_args(int argc, char *const *argv);
bool layout_matches_allocations(void);

#endif /* IOASID_LAYOUT_H */
