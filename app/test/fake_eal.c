/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_interrupts.h>
#include <rte_memory.h>
#include <rte_uuid.h>

#include "events.h"
#include "fake_eal.h"
#include "unmapped.h"

#define NAMES    64
#define WATCHERS 64

/* ---- devices that are named */

static struct rte_devargs names[NAMES];

void
fake_eal_name(const char *bdf)
{
	for (unsigned int i = 0; i < NAMES; i++) {
		if (names[i].name[0] != '\0')
			continue;
		snprintf(names[i].name, sizeof(names[i].name), "%s", bdf);
		names[i].policy = RTE_DEV_ALLOWED;
		return;
	}
	abort();
}

void
fake_eal_unname(const char *bdf)
{
	for (unsigned int i = 0; i < NAMES; i++)
		if (strcmp(names[i].name, bdf) == 0)
			names[i].name[0] = '\0';
}

bool
fake_eal_names(const char *bdf)
{
	for (unsigned int i = 0; i < NAMES; i++)
		if (strcmp(names[i].name, bdf) == 0)
			return true;
	return false;
}

struct rte_devargs *
rte_devargs_next(const char *busname, const struct rte_devargs *start)
{
	size_t i = start != NULL ? (size_t)(start - names) + 1 : 0;

	if (strcmp(busname, "pci") != 0)
		return NULL;
	for (; i < NAMES; i++)
		if (names[i].name[0] != '\0')
			return &names[i];
	return NULL;
}

/* ---- what it is asked */

enum rte_proc_type_t
rte_eal_process_type(void)
{
	return RTE_PROC_PRIMARY;
}

enum rte_iova_mode
rte_eal_iova_mode(void)
{
	return RTE_IOVA_VA;
}

int
rte_eal_has_pci(void)
{
	return 1;
}

void
rte_eal_vfio_get_vf_token(rte_uuid_t token)
{
	memset(token, 0, sizeof(rte_uuid_t));
}

/* ---- interrupts */

struct rte_intr_handle {
	int fd;
	rte_intr_callback_fn callback;
	void *arg;
	bool running;
	rte_intr_unregister_callback_fn ended; /* pending */
};

static struct rte_intr_handle *watchers[WATCHERS];
static pthread_mutex_t watchers_lock = PTHREAD_MUTEX_INITIALIZER;

struct rte_intr_handle *
rte_intr_instance_alloc(uint32_t flags)
{
	(void)flags;
	return calloc(1, sizeof(struct rte_intr_handle));
}

void
rte_intr_instance_free(struct rte_intr_handle *handle)
{
	free(handle);
}

int
rte_intr_fd_set(struct rte_intr_handle *handle, int fd)
{
	handle->fd = fd;
	return 0;
}

int
rte_intr_type_set(struct rte_intr_handle *handle, enum rte_intr_handle_type type)
{
	(void)handle;
	(void)type;
	return 0;
}

static struct rte_intr_handle **
find_watcher(const struct rte_intr_handle *handle)
{
	for (unsigned int i = 0; i < WATCHERS; i++)
		if (watchers[i] == handle)
			return &watchers[i];
	abort();
}

int
rte_intr_callback_register(const struct rte_intr_handle *handle, rte_intr_callback_fn callback,
			   void *arg)
{
	struct rte_intr_handle *h = (struct rte_intr_handle *)(uintptr_t)handle;

	pthread_mutex_lock(&watchers_lock);
	*find_watcher(NULL) = h;
	h->callback = callback;
	h->arg = arg;
	pthread_mutex_unlock(&watchers_lock);
	return 0;
}

int
rte_intr_callback_unregister(const struct rte_intr_handle *handle, rte_intr_callback_fn callback,
			     void *arg)
{
	int ret = 1;

	(void)callback;
	(void)arg;
	pthread_mutex_lock(&watchers_lock);
	if (handle->running)
		ret = -EAGAIN;
	else
		*find_watcher(handle) = NULL;
	pthread_mutex_unlock(&watchers_lock);
	return ret;
}

int
rte_intr_callback_unregister_pending(const struct rte_intr_handle *handle,
				     rte_intr_callback_fn callback, void *arg,
				     rte_intr_unregister_callback_fn ended)
{
	struct rte_intr_handle *h = (struct rte_intr_handle *)(uintptr_t)handle;
	int ret = 0;

	(void)callback;
	(void)arg;
	pthread_mutex_lock(&watchers_lock);
	if (h->running)
		h->ended = ended;
	else
		ret = -EAGAIN;
	pthread_mutex_unlock(&watchers_lock);
	return ret;
}

static void
call(struct rte_intr_handle *h)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	rte_intr_unregister_callback_fn ended;

	if (poll(&p, 1, 0) != 1)
		return;
	pthread_mutex_lock(&watchers_lock);
	h->running = true;
	pthread_mutex_unlock(&watchers_lock);
	h->callback(h->arg);
	pthread_mutex_lock(&watchers_lock);
	h->running = false;
	ended = h->ended;
	if (ended != NULL)
		*find_watcher(h) = NULL;
	pthread_mutex_unlock(&watchers_lock);
	if (ended != NULL)
		ended(h, h->arg);
}

void
fake_eal_interrupts(void)
{
	for (unsigned int i = 0; i < WATCHERS; i++)
		if (watchers[i] != NULL)
			call(watchers[i]);
}

unsigned int
fake_eal_watched(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < WATCHERS; i++)
		n += watchers[i] != NULL;
	return n;
}

/* The kernel's events are told by the tests themselves. */
void
events_follow(void)
{
}

/* ---- memory: one list of pages */

static struct rte_memseg pages[FAKE_EAL_PAGES];
static struct rte_memseg_list msl;
static bool present[FAKE_EAL_PAGES];
static rte_mem_event_callback_t event_fn;
static pthread_rwlock_t memory_lock = PTHREAD_RWLOCK_INITIALIZER;

void
fake_eal_set_base(uint64_t base)
{
	for (unsigned int i = 0; i < FAKE_EAL_PAGES; i++) {
		pages[i].addr_64 = base + i * msl.page_sz;
		pages[i].iova = pages[i].addr_64;
	}
	msl.base_va = (void *)(uintptr_t)base;
}

void
fake_eal_set_page_size(uint64_t size)
{
	msl.page_sz = size;
	for (unsigned int i = 0; i < FAKE_EAL_PAGES; i++) {
		pages[i].len = size;
		pages[i].hugepage_sz = size;
	}
	fake_eal_set_base((uintptr_t)msl.base_va);
}

void
fake_eal_start(void)
{
	memset(names, 0, sizeof(names));
	memset(pages, 0, sizeof(pages));
	memset(present, 0, sizeof(present));
	event_fn = NULL;
	msl = (struct rte_memseg_list){ .base_va = (void *)(uintptr_t)FAKE_EAL_BASE,
					.len = sizeof(pages) };
	msl.memseg_arr.count = FAKE_EAL_PAGES;
	for (unsigned int i = 0; i < FAKE_EAL_PAGES; i++) {
		if (i < 8)
			pages[i].flags = RTE_MEMSEG_FLAG_DO_NOT_FREE;
		present[i] = i < 12;
	}
	fake_eal_set_page_size(FAKE_EAL_PAGE);
}

int
rte_memseg_walk_thread_unsafe(rte_memseg_walk_t func, void *arg)
{
	int ret = 0;

	for (unsigned int i = 0; i < FAKE_EAL_PAGES && ret == 0; i++)
		if (present[i])
			ret = func(&msl, &pages[i], arg);
	return ret;
}

int
rte_memseg_walk(rte_memseg_walk_t func, void *arg)
{
	int ret;

	rte_mcfg_mem_read_lock();
	ret = rte_memseg_walk_thread_unsafe(func, arg);
	rte_mcfg_mem_read_unlock();
	return ret;
}

void
rte_mcfg_mem_read_lock(void)
{
	pthread_rwlock_rdlock(&memory_lock);
}

void
rte_mcfg_mem_read_unlock(void)
{
	pthread_rwlock_unlock(&memory_lock);
}

bool
fake_eal_memory_is_free(void)
{
	if (pthread_rwlock_trywrlock(&memory_lock) != 0)
		return false;
	pthread_rwlock_unlock(&memory_lock);
	return true;
}

int
rte_mem_event_callback_register(const char *name, rte_mem_event_callback_t clb, void *arg)
{
	(void)name;
	(void)arg;
	if (event_fn != NULL) {
		rte_errno = EEXIST;
		return -1;
	}
	event_fn = clb;
	return 0;
}

int
rte_mem_event_callback_unregister(const char *name, void *arg)
{
	(void)name;
	(void)arg;
	event_fn = NULL;
	return 0;
}

struct rte_memseg_list *
rte_mem_virt2memseg_list(const void *virt)
{
	(void)virt;
	return &msl;
}

struct rte_memseg *
rte_mem_virt2memseg(const void *virt, const struct rte_memseg_list *list)
{
	(void)list;
	return &pages[((uintptr_t)virt - pages[0].addr_64) / msl.page_sz];
}

int
rte_memseg_get_fd_thread_unsafe(const struct rte_memseg *ms)
{
	(void)ms;
	return -1;
}

static void
tell(enum rte_mem_event type, unsigned int page)
{
	if (event_fn != NULL)
		event_fn(type, pages[page].addr, msl.page_sz, NULL);
}

void
fake_eal_alloc(unsigned int page)
{
	pthread_rwlock_wrlock(&memory_lock);
	present[page] = true;
	pages[page].flags = 0;
	tell(RTE_MEM_EVENT_ALLOC, page);
	pthread_rwlock_unlock(&memory_lock);
}

bool
fake_eal_is_unmapped(unsigned int page)
{
	return unmapped_has(pages[page].addr, msl.page_sz);
}

void
fake_eal_free(unsigned int page)
{
	pthread_rwlock_wrlock(&memory_lock);
	tell(RTE_MEM_EVENT_FREE, page);
	present[page] = false;
	pthread_rwlock_unlock(&memory_lock);
}
