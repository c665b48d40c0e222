/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Memory that devices cannot reach must not be handed out, but EAL's memory events
 * cannot fail. What can is the next thing that EAL does: it asks the secondary processes
 * to follow, by a message, and if they cannot it takes the memory back. So that message
 * fails in their place. Memory that an application adds to a heap of its own involves
 * no message: it is removed again.
 */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "export.h"
#include "interpose.h"
#include "log.h"
#include "memory.h"

/* EAL's name of the message (malloc_mp.c). */
#define SYNC "mp_malloc_sync"

typedef int (*sync_fn)(struct rte_mp_msg *, struct rte_mp_reply *, const struct timespec *);
typedef int (*async_fn)(struct rte_mp_msg *, const struct timespec *, rte_mp_async_reply_t);
typedef int (*heap_add_fn)(const char *, void *, size_t, rte_iova_t *, unsigned int, size_t);

/* What EAL does with the answers to the message. */
static rte_mp_async_reply_t when_answered;

static int
missing(const char *name)
{
	IOASID_LOG(ERR, "%s: no definition but the plugin's", name);
	rte_errno = ENOTSUP;
	return -1;
}

static bool
must_fail(const struct rte_mp_msg *msg)
{
	return strcmp(msg->name, SYNC) == 0 && memory_take_failure();
}

EXPORT int
rte_mp_request_sync(struct rte_mp_msg *req, struct rte_mp_reply *reply, const struct timespec *ts)
{
	sync_fn next;

	if (must_fail(req)) {
		memset(reply, 0, sizeof(*reply));
		rte_errno = ENOMEM;
		return -1;
	}
	*(void **)&next = next_definition("rte_mp_request_sync");
	return next != NULL ? next(req, reply, ts) : missing("rte_mp_request_sync");
}

/* One answer is missing: to EAL that is a secondary that could not follow. */
static int
answer_failure(const struct rte_mp_msg *request, const struct rte_mp_reply *reply)
{
	const struct rte_mp_reply none = { .nb_sent = 1 };

	(void)reply;
	return when_answered(request, &none);
}

/*
 * The same when the primary allocates on behalf of a secondary. It must be sent here: EAL
 * takes the memory back only once it is answered.
 */
EXPORT int
rte_mp_request_async(struct rte_mp_msg *req, const struct timespec *ts, rte_mp_async_reply_t clb)
{
	async_fn next;

	*(void **)&next = next_definition("rte_mp_request_async");
	if (next == NULL)
		return missing("rte_mp_request_async");
	if (must_fail(req)) {
		when_answered = clb;
		clb = answer_failure;
	}
	return next(req, ts, clb);
}

EXPORT int
rte_malloc_heap_memory_add(const char *heap_name, void *va_addr, size_t len,
			   rte_iova_t iova_addrs[], unsigned int n_pages, size_t page_sz)
{
	heap_add_fn next;
	int ret;

	*(void **)&next = next_definition("rte_malloc_heap_memory_add");
	if (next == NULL)
		return missing("rte_malloc_heap_memory_add");
	ret = next(heap_name, va_addr, len, iova_addrs, n_pages, page_sz);
	if (memory_take_failure() && ret == 0) {
		rte_malloc_heap_memory_remove(heap_name, va_addr, len);
		rte_errno = ENOMEM;
		ret = -1;
	}
	return ret;
}
