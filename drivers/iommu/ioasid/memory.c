/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "layout.h"
#include "log.h"
#include "memory.h"
#include "report.h"
#include "side_by_side.h"
#include "space.h"
#include "unmapped.h"

#define EVENT_NAME "ioasid"
#define PROT       (IOASID_READ | IOASID_WRITE)
/* From here on it is worth a word that there could be one file: 128 MiB of 2 MiB pages. */
#define ADVISE_FILES 64

/* By address, and in calls, what takes several milliseconds. */
#define SHARED_BYTES (UINT64_C(256) << 20)
#define SHARED_CALLS 128

/* Contiguous memory in the making, to be unmapped by one call. */
struct run {
	uint64_t va;
	uint64_t iova;
	uint64_t length; /* 0: none */
	const struct rte_memseg_list *msl;
};

/* Pages on their way into areas: one is ready once it can grow no more. */
struct walk {
	struct layout layout;
	struct layout_area area;
	int (*ready)(const struct layout_area *area);
	unsigned int nmaps;
	unsigned int nfiles; /* pages that are not mapped with those before for their files */
	uint64_t bytes;
};

static bool closing;

static int
area_map(const struct layout_area *area)
{
	if (area->fd >= 0)
		return ioasid_map_file(space_ctx(), space_default(), area->va, area->iova,
				       area->length, PROT, area->fd, area->offset);
	return ioasid_map(space_ctx(), space_default(), area->va, area->iova, area->length, PROT);
}

static int
area_flush(struct walk *w)
{
	int ret;

	if (w->area.length == 0)
		return 0;
	ret = w->ready(&w->area);
	if (ret == 0) {
		w->nmaps++;
		w->bytes += w->area.length;
	}
	w->area.length = 0;
	return ret;
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
	const struct layout_area page = layout_page(&w->layout, msl, ms);
	int ret;

	w->nfiles += layout_is_other_file(&w->area, &page);
	if (layout_join(&w->area, &page))
		return 0;
	ret = area_flush(w);
	w->area = page;
	return ret;
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

/* Where one option would change the cost of starting by much. */
static void
advise(const struct walk *w)
{
	if (w->layout.by_file && w->nfiles >= ADVISE_FILES)
		IOASID_LOG(
			INFO,
			"%u pages, each a file of its own: EAL's --single-file-segments would make "
			"them one map by file, some ten times as fast",
			w->nfiles + 1);
}

/* ---- all that is there when the first device comes */

/*
 * Pinning it takes long, so no lock of EAL's is held meanwhile: what is to be mapped is
 * listed first, and then shared by threads. Memory events come as soon as the list is made:
 * what is freed before its turn is taken off the list.
 */
struct item {
	struct layout_area area;
	bool busy; /* being mapped */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t done; /* an area more */
	struct item *items;
	unsigned int count, room;
	int failed; /* the first failure: no more is mapped */
} list = { .lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER };

/* Before any event comes. */
static int
list_add(const struct layout_area *area)
{
	const unsigned int room = list.room > 0 ? 2 * list.room : 64;
	struct item *bigger = list.items;

	if (list.count == list.room) {
		bigger = reallocarray(list.items, room, sizeof(*bigger));
		if (bigger == NULL)
			return -ENOMEM;
		list.items = bigger;
		list.room = room;
	}
	bigger[list.count++] = (struct item){ .area = *area };
	return 0;
}

static bool
is_part_of(const struct layout_area *area, uint64_t va, uint64_t length)
{
	return area->length > 0 && area->va < va + length && va < area->va + area->length;
}

/* Whether a part of it is being mapped. With the list's lock. */
static bool
list_is_busy(uint64_t va, uint64_t length)
{
	for (unsigned int i = 0; i < list.count; i++)
		if (list.items[i].busy && is_part_of(&list.items[i].area, va, length))
			return true;
	return false;
}

/* Memory that is about to be freed: of what waits to be mapped it is no part any more. */
static void
list_remove(uint64_t va, uint64_t length)
{
	pthread_mutex_lock(&list.lock);
	while (list_is_busy(va, length))
		pthread_cond_wait(&list.done, &list.lock);
	for (unsigned int i = 0; i < list.count; i++)
		if (is_part_of(&list.items[i].area, va, length))
			list.items[i].area.length = 0;
	pthread_mutex_unlock(&list.lock);
}

/* False: it is not wanted any more. */
static bool
list_take(unsigned int i, struct layout_area *area)
{
	bool wanted;

	pthread_mutex_lock(&list.lock);
	*area = list.items[i].area;
	wanted = area->length > 0 && list.failed == 0;
	list.items[i].busy = wanted;
	pthread_mutex_unlock(&list.lock);
	return wanted;
}

/* Whether this is the first failure. */
static bool
list_done(unsigned int i, int ret)
{
	bool first;

	pthread_mutex_lock(&list.lock);
	list.items[i].busy = false;
	first = ret < 0 && list.failed == 0;
	if (first)
		list.failed = ret;
	pthread_cond_broadcast(&list.done);
	pthread_mutex_unlock(&list.lock);
	return first;
}

static void
list_clear(void)
{
	pthread_mutex_lock(&list.lock);
	free(list.items);
	list.items = NULL;
	list.count = list.room = 0;
	list.failed = 0;
	pthread_mutex_unlock(&list.lock);
}

static void
map_listed(unsigned int i, void *arg)
{
	struct layout_area area;
	int ret;

	(void)arg;
	if (!list_take(i, &area))
		return;
	ret = area_map(&area);
	if (list_done(i, ret))
		report_failure(REPORT_MAP, ret);
}

/* Threads take their time to be made, too. */
static bool
is_worth_threads(void)
{
	uint64_t by_address = 0;

	pthread_mutex_lock(&list.lock);
	for (unsigned int i = 0; i < list.count; i++)
		if (list.items[i].area.fd < 0)
			by_address += list.items[i].area.length;
	pthread_mutex_unlock(&list.lock);
	return list.count >= SHARED_CALLS || by_address >= SHARED_BYTES;
}

static int
list_map(void)
{
	side_by_side(map_listed, list.count, NULL,
		     is_worth_threads() ? side_by_side_processors() : 1);
	return list.failed;
}

/* With EAL's memory lock. */
static int
list_all(struct walk *w)
{
	int ret = rte_memseg_walk_thread_unsafe(map_page, w);

	if (ret == 0)
		ret = area_flush(w);
	if (ret == -ENOMEM)
		IOASID_LOG(ERR, "no memory for the list of DPDK's memory");
	return ret;
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
	return ret == 0 ? area_flush(w) : ret;
}

static void
event_alloc(const struct rte_memseg_list *msl, const void *addr, size_t len)
{
	const struct rte_memseg *ms = rte_mem_virt2memseg(addr, msl);
	struct walk w = {
		.ready = area_map,
		.layout = {
			.by_file = ioasid_has_map_file(space_ctx()),
			.freed_whole = layout_matches_allocations(),
		},
	};

	if (map_pages(msl, ms, len, &w) == 0) {
		IOASID_LOG(DEBUG, "%zu KiB at %p mapped by %u call(s)", len >> 10, addr, w.nmaps);
		return;
	}
	IOASID_LOG(ERR, "%zu KiB of new memory at %p refused, devices cannot reach it: %s",
		   len >> 10, addr, ioasid_error());
	unmap_pages(msl, ms, len);
	unmapped_mark(addr, len);
}

static void
event_free(const struct rte_memseg_list *msl, const void *addr, size_t len)
{
	const struct rte_memseg *ms = rte_mem_virt2memseg(addr, msl);
	int ret;

	list_remove((uintptr_t)addr, len);
	ret = unmap_pages(msl, ms, len);
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

/* Follow events, and list what is there at that moment: nothing comes between. */
static int
begin(struct walk *w)
{
	int ret;

	rte_mcfg_mem_read_lock();
	ret = rte_mem_event_callback_register(EVENT_NAME, memory_event, NULL);
	/* With --legacy-mem and --no-huge there are no events: no page is ever freed. */
	w->layout.never_freed = ret < 0 && rte_errno == ENOTSUP;
	if (ret < 0 && rte_errno != ENOTSUP && rte_errno != EEXIST) {
		ret = -rte_errno;
		IOASID_LOG(ERR, "memory events cannot be followed: %s", rte_strerror(-ret));
	} else {
		ret = list_all(w);
	}
	rte_mcfg_mem_read_unlock();
	return ret;
}

/* Nothing is mapped, and no event comes any more. */
static void
take_back(void)
{
	uint64_t total = 0;

	rte_mem_event_callback_unregister(EVENT_NAME, NULL);
	rte_mcfg_mem_read_lock();
	rte_memseg_walk_thread_unsafe(count_page, &total);
	unmap_all();
	rte_mcfg_mem_read_unlock();
	IOASID_LOG(ERR, "DPDK's memory of %" PRIu64 " KiB in all could not be mapped", total >> 10);
}

static int
setup_once(void)
{
	struct walk w = { .ready = list_add };
	int ret;

	w.layout.by_file = ioasid_has_map_file(space_ctx());
	ret = begin(&w);
	if (ret == 0)
		ret = list_map();
	list_clear();
	if (ret < 0) {
		take_back();
		return ret;
	}
	IOASID_LOG(INFO, "%" PRIu64 " MiB of DPDK's memory mapped by %u call(s)", w.bytes >> 20,
		   w.nmaps);
	advise(&w);
	return 0;
}

/* For set-ups only, which all need the memory. */
static pthread_mutex_t setup_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_set_up;

int
memory_setup(void)
{
	int ret = 0;

	pthread_mutex_lock(&setup_lock);
	if (!is_set_up)
		ret = setup_once();
	if (ret == 0)
		__atomic_store_n(&is_set_up, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&setup_lock);
	return ret;
}

bool
memory_is_set_up(void)
{
	return __atomic_load_n(&is_set_up, __ATOMIC_ACQUIRE);
}

void
memory_set_closing(void)
{
	closing = true;
}

void
memory_end(void)
{
	pthread_mutex_lock(&setup_lock);
	if (is_set_up)
		rte_mem_event_callback_unregister(EVENT_NAME, NULL);
	is_set_up = false;
	closing = false;
	pthread_mutex_unlock(&setup_lock);
}
