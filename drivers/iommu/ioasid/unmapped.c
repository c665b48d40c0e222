/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdint.h>

#include <rte_memory.h>

#include "unmapped.h"

/* EAL's own flags count from the other end; it sets them all anew with each allocation. */
#define UNMAPPED (UINT32_C(1) << 31)

/* The page that holds an address of a list; NULL: none, or it is no memory of EAL's. */
static struct rte_memseg *
page_at(const struct rte_memseg_list *msl, uintptr_t addr)
{
	return msl != NULL ? rte_mem_virt2memseg((void *)addr, msl) : NULL;
}

void
unmapped_mark(const void *addr, size_t length)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);
	const uintptr_t end = (uintptr_t)addr + length;
	struct rte_memseg *ms;

	for (uintptr_t at = (uintptr_t)addr; at < end; at += msl->page_sz) {
		ms = page_at(msl, at);
		if (ms == NULL)
			return;
		ms->flags |= UNMAPPED;
	}
}

bool
unmapped_has(const void *addr, size_t length)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);
	const uintptr_t end = (uintptr_t)addr + length;
	const struct rte_memseg *ms;
	uintptr_t at = (uintptr_t)addr;

	for (; msl != NULL && at < end; at = (at | (msl->page_sz - 1)) + 1) {
		ms = page_at(msl, at);
		if (ms != NULL && (ms->flags & UNMAPPED))
			return true;
	}
	return false;
}
