/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "log.h"
#include "memory.h"
#include "space.h"

#define EVENT_NAME "ioasid"
#define PROT       (IOASID_READ | IOASID_WRITE)

/* Contiguous memory in the making: mapped by one call once it can grow no more. */
struct run {
	uint64_t va;
	uint64_t iova;
	uint64_t length; /* 0: none */
	const struct rte_memseg_list *msl;
};

struct walk {
	struct run run;
	bool can_free; /* pages may be freed at run time (not: legacy, no-huge) */
	bool unmap;    /* undo instead of map */
	unsigned int nmaps;
	uint64_t bytes;
};

static bool closing;
/* An ALLOC event of this thread could not be obeyed; told by memory_take_failure(). */
static _Thread_local bool failed;

static int
run_flush(struct walk *w)
{
	struct run *run = &w->run;
	int ret;

	if (run->length == 0)
		return 0;
	if (w->unmap)
		ret = ioasid_unmap(space_ctx(), space_default(), run->iova, run->length);
	else
		ret = ioasid_map(space_ctx(), space_default(), run->va, run->iova, run->length,
				 PROT);
	if (ret == 0) {
		w->nmaps++;
		w->bytes += run->length;
	}
	run->length = 0;
	return ret;
}

/*
 * An iommufd area can only be unmapped whole, so pages that may be freed one by one
 * are mapped one by one. The others grow into areas as large as VA and IOVA allow.
 * External memory is added and removed as one piece.
 */
static bool
is_permanent(const struct walk *w, const struct rte_memseg_list *msl, const struct rte_memseg *ms)
{
	return !w->can_free || msl->external || (ms->flags & RTE_MEMSEG_FLAG_DO_NOT_FREE);
}

static bool
run_continues(const struct run *run, const struct rte_memseg_list *msl, const struct rte_memseg *ms)
{
	return run->length > 0 && run->msl == msl && run->va + run->length == ms->addr_64 &&
	       run->iova + run->length == ms->iova;
}

bool
memory_is_for_devices(const struct rte_memseg_list *msl, const struct rte_memseg *ms)
{
	/* External memory outside a heap is the application's to map (rte_dev_dma_map). */
	if (msl->external && !msl->heap)
		return false;
	/* EAL marks so what has no address for devices. */
	return ms->iova != RTE_BAD_IOVA;
}

static int
walk_page(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	struct walk *w = arg;
	int ret;

	if (is_permanent(w, msl, ms) && run_continues(&w->run, msl, ms)) {
		w->run.length += ms->len;
		return 0;
	}
	ret = run_flush(w);
	if (ret < 0)
		return ret;
	w->run = (struct run){ .va = ms->addr_64, .iova = ms->iova, .length = ms->len, .msl = msl };
	/* Not to be continued by the next page: complete. */
	return is_permanent(w, msl, ms) ? 0 : run_flush(w);
}

static int
map_page(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	return memory_is_for_devices(msl, ms) ? walk_page(msl, ms, arg) : 0;
}

static int
count_page(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	uint64_t *bytes = arg;

	if (memory_is_for_devices(msl, ms))
		*bytes += ms->len;
	return 0;
}

/* Whether a page of EAL's is mapped: not another map that was in its place before. */
static bool
is_mapped(const struct rte_memseg *ms)
{
	struct ioasid_map m;

	return ms->iova != RTE_BAD_IOVA &&
	       ioasid_find_map(space_ctx(), space_default(), ms->iova, ms->len, &m) == 0 &&
	       m.va - m.iova == ms->addr_64 - ms->iova;
}

static int
unmap_run(const struct run *run)
{
	return run->length > 0 ? ioasid_unmap(space_ctx(), space_default(), run->iova, run->length)
			       : 0;
}

/* One unmap call may cover many maps: gather all that is contiguous. */
static int
unmap_page(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	struct run *run = arg;
	int ret;

	if (!is_mapped(ms))
		return 0;
	if (run_continues(run, msl, ms)) {
		run->length += ms->len;
		return 0;
	}
	ret = unmap_run(run);
	*run = (struct run){ ms->addr_64, ms->iova, ms->len, msl };
	return ret;
}

static int
unmap_pages(const struct rte_memseg_list *msl, const struct rte_memseg *ms, size_t len)
{
	struct run run = { 0 };
	int ret = 0;

	for (size_t done = 0; ret == 0 && done < len; done += ms->len, ms++)
		ret = unmap_page(msl, ms, &run);
	return ret == 0 ? unmap_run(&run) : ret;
}

static void
unmap_all(void)
{
	struct run run = { 0 };

	rte_memseg_walk_thread_unsafe(unmap_page, &run);
	unmap_run(&run);
}

static int
map_all(bool can_free)
{
	struct walk w = { .can_free = can_free };
	uint64_t total = 0;
	int ret;

	ret = rte_memseg_walk_thread_unsafe(map_page, &w);
	if (ret == 0)
		ret = run_flush(&w);
	if (ret < 0) {
		rte_memseg_walk_thread_unsafe(count_page, &total);
		IOASID_LOG(ERR, "%s", ioasid_error());
		IOASID_LOG(ERR, "DPDK's memory of %" PRIu64 " KiB in all could not be mapped",
			   total >> 10);
		unmap_all();
		return ret;
	}
	IOASID_LOG(INFO, "%" PRIu64 " MiB of DPDK's memory mapped by %u call(s)", w.bytes >> 20,
		   w.nmaps);
	return 0;
}

/* What is added to an external heap is not marked as a heap's until after the event. */
static int
map_pages(const struct rte_memseg_list *msl, const struct rte_memseg *ms, size_t len,
	  struct walk *w)
{
	int ret = 0;

	for (size_t done = 0; ret == 0 && done < len; done += ms->len, ms++)
		if (ms->iova != RTE_BAD_IOVA)
			ret = walk_page(msl, ms, w);
	return ret == 0 ? run_flush(w) : ret;
}

static void
event_alloc(const struct rte_memseg_list *msl, const void *addr, size_t len)
{
	const struct rte_memseg *ms = rte_mem_virt2memseg(addr, msl);
	struct walk w = { .can_free = true };

	failed = map_pages(msl, ms, len, &w) < 0;
	if (!failed) {
		IOASID_LOG(DEBUG, "%zu KiB at %p mapped by %u call(s)", len >> 10, addr, w.nmaps);
		return;
	}
	IOASID_LOG(ERR, "%zu KiB of new memory at %p refused, devices cannot reach it: %s",
		   len >> 10, addr, ioasid_error());
	unmap_pages(msl, ms, len);
}

static void
event_free(const struct rte_memseg_list *msl, const void *addr, size_t len)
{
	const struct rte_memseg *ms = rte_mem_virt2memseg(addr, msl);
	int ret = unmap_pages(msl, ms, len);

	if (ret == 0)
		IOASID_LOG(DEBUG, "%zu KiB at %p unmapped", len >> 10, addr);
	else if (closing)
		IOASID_LOG(DEBUG, "%zu KiB at %p stay mapped until exit", len >> 10, addr);
	else
		IOASID_LOG(ERR, "freed memory at %p stays pinned: %s", addr, ioasid_error());
}

/* Called with EAL's memory lock held for writing: nothing here may take it again. */
static void
memory_event(enum rte_mem_event type, const void *addr, size_t len, void *arg)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);

	(void)arg;
	if (msl == NULL || space_ctx() == NULL)
		return;
	if (type == RTE_MEM_EVENT_ALLOC)
		event_alloc(msl, addr, len);
	else
		event_free(msl, addr, len);
}

int
memory_setup(void)
{
	static bool done;
	bool can_free;
	int ret;

	if (done)
		return 0;
	/* The lock keeps pages from coming between the walk and the first event. */
	rte_mcfg_mem_read_lock();
	ret = rte_mem_event_callback_register(EVENT_NAME, memory_event, NULL);
	/* With --legacy-mem and --no-huge there are no events: no page is ever freed. */
	can_free = ret == 0;
	if (ret < 0 && rte_errno != ENOTSUP && rte_errno != EEXIST) {
		ret = -rte_errno;
		IOASID_LOG(ERR, "memory events cannot be followed: %s", rte_strerror(-ret));
	} else {
		ret = map_all(can_free);
	}
	if (ret == 0)
		done = true;
	else if (can_free)
		rte_mem_event_callback_unregister(EVENT_NAME, NULL);
	rte_mcfg_mem_read_unlock();
	return ret;
}

bool
memory_take_failure(void)
{
	const bool was = failed;

	failed = false;
	return was;
}

void
memory_set_closing(void)
{
	closing = true;
}

int
memory_user_map(uint32_t ioasid, uint64_t va, uint64_t iova, uint64_t length)
{
	struct ioasid_map m;
	int ret = ioasid_map(space_ctx(), ioasid, va, iova, length, PROT);

	if (ret == -EEXIST && ioasid_find_map(space_ctx(), ioasid, iova, length, &m) == 0 &&
	    m.iova == iova && m.va == va && m.length == length)
		return 0;
	if (ret < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return ret;
}

int
memory_user_unmap(uint32_t ioasid, uint64_t iova, uint64_t length)
{
	int ret = ioasid_unmap(space_ctx(), ioasid, iova, length);

	if (ret < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return ret;
}
