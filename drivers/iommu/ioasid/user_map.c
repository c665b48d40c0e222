/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <ioasid.h>

#include "log.h"
#include "memory.h"
#include "space.h"
#include "user_map.h"

#define PROT (IOASID_READ | IOASID_WRITE)

/*
 * Stock EAL takes a map that is there already for a success, whoever made it: vhost maps
 * the same guest memory for each of a guest's ports. Each such success is to be unmapped
 * once, and the last one really unmaps.
 */
struct repeat {
	SLIST_ENTRY(repeat) entry;
	uint32_t ioasid;
	uint64_t iova;
	uint64_t length;
};

static SLIST_HEAD(, repeat) repeats = SLIST_HEAD_INITIALIZER(repeats);
static pthread_mutex_t repeats_lock = PTHREAD_MUTEX_INITIALIZER;

static int
repeat_add(uint32_t ioasid, uint64_t iova, uint64_t length)
{
	struct repeat *r = malloc(sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	*r = (struct repeat){ .ioasid = ioasid, .iova = iova, .length = length };
	pthread_mutex_lock(&repeats_lock);
	SLIST_INSERT_HEAD(&repeats, r, entry);
	pthread_mutex_unlock(&repeats_lock);
	return 0;
}

static bool
repeat_take(uint32_t ioasid, uint64_t iova, uint64_t length)
{
	struct repeat *r;

	pthread_mutex_lock(&repeats_lock);
	SLIST_FOREACH(r, &repeats, entry)
		if (r->ioasid == ioasid && r->iova == iova && r->length == length)
			break;
	if (r != NULL)
		SLIST_REMOVE(&repeats, r, repeat, entry);
	pthread_mutex_unlock(&repeats_lock);
	free(r);
	return r != NULL;
}

void
user_map_forget(uint32_t ioasid)
{
	struct repeat *r, *next;

	pthread_mutex_lock(&repeats_lock);
	for (r = SLIST_FIRST(&repeats); r != NULL; r = next) {
		next = SLIST_NEXT(r, entry);
		if (ioasid != 0 && r->ioasid != ioasid)
			continue;
		SLIST_REMOVE(&repeats, r, repeat, entry);
		free(r);
	}
	pthread_mutex_unlock(&repeats_lock);
}

/* Whether maps cover a range without a gap; same: all of it leads to this memory. */
static bool
is_covered(uint32_t ioasid, uint64_t va, uint64_t iova, uint64_t length, bool *same)
{
	const uint64_t end = iova + length, offset = va - iova;
	struct ioasid_map m;

	*same = true;
	while (iova < end) {
		if (ioasid_find_map(space_ctx(), ioasid, iova, 1, &m) < 0)
			return false;
		*same = *same && m.va - m.iova == offset;
		iova = m.iova + m.length;
	}
	return true;
}

static int
map_again(uint32_t ioasid, uint64_t va, uint64_t iova, uint64_t length)
{
	bool same;

	if (!is_covered(ioasid, va, iova, length, &same))
		return -EEXIST;
	if (!same)
		IOASID_LOG(WARNING,
			   "IOVA 0x%" PRIx64 " length 0x%" PRIx64 " is mapped to other memory "
			   "already, and that is what devices reach;\n  as under EAL's own VFIO "
			   "this is no error",
			   iova, length);
	return repeat_add(ioasid, iova, length);
}

int
user_map(uint32_t ioasid, uint64_t va, uint64_t iova, uint64_t length)
{
	int ret;

	/* vhost asks for this very errno: then it goes on without. */
	if (ioasid == space_default() && !memory_is_set_up()) {
		IOASID_LOG(DEBUG, "no device has been set up yet, so nothing can be mapped");
		return -ENODEV;
	}
	ret = ioasid_map(space_ctx(), ioasid, va, iova, length, PROT);
	if (ret == -EEXIST)
		ret = map_again(ioasid, va, iova, length);
	if (ret < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return ret;
}

/* The library's errno in that of stock EAL, which its users test for. */
static int
unmap_error(int ret)
{
	switch (ret) {
	case -ENOENT:
		return -EINVAL;
	case -EINVAL:
		return -ENOTSUP;
	default:
		return ret;
	}
}

int
user_unmap(uint32_t ioasid, uint64_t iova, uint64_t length)
{
	int ret;

	if (repeat_take(ioasid, iova, length))
		return 0;
	ret = ioasid_unmap(space_ctx(), ioasid, iova, length);
	if (ret < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return unmap_error(ret);
}
