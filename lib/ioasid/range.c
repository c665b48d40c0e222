/* SPDX-License-Identifier: BSD-3-Clause */

/* IOVA ranges: what may be mapped in an IOASID, by the kernel's word and the user's. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "internal.h"
#include "kernel_abi.h"
#include "sys.h"
#include "sysfs.h"

struct list {
	struct ioasid_range *ranges;
	unsigned int count;
};

static int
ranges_query(struct ioasid_ctx *ctx, uint32_t ioasid, struct list *list)
{
	struct kabi_iova_ranges query = {
		.size = sizeof(query),
		.ioas_id = ioasid,
		.num_iovas = list->count,
		.allowed_iovas = (uintptr_t)list->ranges,
	};
	int ret = ioasid_sys->ioctl(ctx->fd, KABI_IOVA_RANGES, &query);

	list->count = query.num_iovas;
	return ret;
}

/* Without a sentence but for -ENOMEM of our own. */
static int
read_ranges(struct ioasid_ctx *ctx, uint32_t ioasid, struct list *list)
{
	struct ioasid_range *bigger;
	unsigned int room = 8;
	int ret;

	/* same layout: the kernel fills our type directly */
	_Static_assert(sizeof(struct ioasid_range) == sizeof(struct kabi_iova_range), "range");
	list->ranges = NULL;
	do {
		list->count = room;
		bigger = realloc(list->ranges, room * sizeof(*bigger));
		if (bigger == NULL) {
			ret = -ENOMEM;
			break;
		}
		list->ranges = bigger;
		ret = ranges_query(ctx, ioasid, list);
		/* More than fit: the kernel said how many. A device may come in between. */
		room = list->count;
	} while (ret == -EMSGSIZE && room > 0 && room < UINT16_MAX);
	if (ret < 0)
		free(list->ranges);
	return ret;
}

static int
no_memory(void)
{
	return error_set(ENOMEM, "IOVA ranges: out of memory");
}

/* ---- allowed ranges */

static int
compare(const void *a, const void *b)
{
	const struct ioasid_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int
check_allowed(const struct ioasid_range *ranges, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (ranges[i].start >= ranges[i].last)
			return error_set(EINVAL,
					 "the IOVA range 0x%" PRIx64 "-0x%" PRIx64 " is empty",
					 ranges[i].start, ranges[i].last);
		if (i > 0 && ranges[i - 1].last >= ranges[i].start)
			return error_set(EINVAL,
					 "the IOVA ranges 0x%" PRIx64 "-0x%" PRIx64
					 " and 0x%" PRIx64 "-0x%" PRIx64 " overlap",
					 ranges[i - 1].start, ranges[i - 1].last, ranges[i].start,
					 ranges[i].last);
	}
	return 0;
}

static bool
is_within(const struct list *list, uint64_t start, uint64_t last)
{
	for (unsigned int i = 0; i < list->count; i++)
		if (start >= list->ranges[i].start && last <= list->ranges[i].last)
			return true;
	return false;
}

int
range_check_allowed(const struct space *space, uint64_t iova, uint64_t last)
{
	const struct list allowed = { space->allowed, space->nallowed };

	if (allowed.count == 0 || is_within(&allowed, iova, last))
		return 0;
	return error_set(EADDRNOTAVAIL,
			 "IOVA 0x%" PRIx64 "-0x%" PRIx64 " is not within the IOVA range 0x%" PRIx64
			 "-0x%" PRIx64 "%s that IOASID %" PRIu32
			 " was given: use other addresses, or give it another range",
			 iova, last, allowed.ranges[0].start, allowed.ranges[0].last,
			 allowed.count > 1 ? " or another" : "", space->id);
}

static int
check_maps(struct space *space, const struct list *allowed)
{
	struct map *map;

	RB_FOREACH(map, map_tree, &space->maps)
	{
		const uint64_t last = map->m.iova + map->m.length - 1;

		if (!is_within(allowed, map->m.iova, last))
			return error_set(
				EADDRINUSE,
				"the map at IOVA 0x%" PRIx64 "-0x%" PRIx64 " of IOASID %" PRIu32
				" is outside the IOVA ranges to be allowed: unmap it first",
				map->m.iova, last, space->id);
	}
	return 0;
}

static int
allow(struct ioasid_ctx *ctx, struct space *space, struct list *allowed)
{
	struct kabi_allow_iovas arg = {
		.size = sizeof(arg),
		.ioas_id = space->id,
		.num_iovas = allowed->count,
		.allowed_iovas = (uintptr_t)allowed->ranges,
	};
	char subject[32];
	int ret = allowed->count > 0 ? check_maps(space, allowed) : 0;

	if (ret < 0)
		return ret;
	ret = ioasid_sys->ioctl(ctx->fd, KABI_ALLOW_IOVAS, &arg);
	if (ret < 0) {
		snprintf(subject, sizeof(subject), "IOASID %" PRIu32, space->id);
		return error_call(CALL_ALLOW, ret, subject, NULL);
	}
	free(space->allowed);
	space->allowed = allowed->ranges;
	space->nallowed = allowed->count;
	allowed->ranges = NULL;
	return 0;
}

int
ioasid_allow_iovas(struct ioasid_ctx *ctx, uint32_t ioasid, const struct ioasid_range *ranges,
		   unsigned int count)
{
	struct list allowed = { calloc(count + 1, sizeof(*ranges)), count };
	struct space *space;
	int ret;

	if (allowed.ranges == NULL)
		return no_memory();
	if (count > 0)
		memcpy(allowed.ranges, ranges, count * sizeof(*ranges));
	qsort(allowed.ranges, count, sizeof(*ranges), compare);
	ret = check_allowed(allowed.ranges, count);
	if (ret == 0) {
		pthread_mutex_lock(&ctx->lock);
		space = space_find(ctx, ioasid);
		if (space != NULL)
			ret = allow(ctx, space, &allowed);
		else
			ret = error_set(ENOENT, "IOVA ranges: no IOASID %" PRIu32, ioasid);
		pthread_mutex_unlock(&ctx->lock);
	}
	free(allowed.ranges);
	return ret;
}

/* ---- what can be mapped */

/* The part of a range that is within another; false: none is. */
static bool
intersect(const struct ioasid_range *a, const struct ioasid_range *b, struct ioasid_range *out)
{
	out->start = a->start > b->start ? a->start : b->start;
	out->last = a->last < b->last ? a->last : b->last;
	return out->start <= out->last;
}

/* Both in ascending order, and so is the result. Frees the first. */
static int
list_intersect(struct list *list, const struct ioasid_range *with, unsigned int count)
{
	/* Each pair of neighbours begins a new piece at most. */
	struct list out = { calloc(list->count + count + 1, sizeof(*with)), 0 };

	if (out.ranges != NULL)
		for (unsigned int i = 0; i < list->count; i++)
			for (unsigned int j = 0; j < count; j++)
				if (intersect(&list->ranges[i], &with[j], &out.ranges[out.count]))
					out.count++;
	free(list->ranges);
	*list = out;
	return out.ranges != NULL ? 0 : no_memory();
}

static int
list_remove(struct list *list, const struct ioasid_range *r)
{
	struct ioasid_range rest[2];
	unsigned int n = 0;

	if (r->start > 0)
		rest[n++] = (struct ioasid_range){ 0, r->start - 1 };
	if (r->last < UINT64_MAX)
		rest[n++] = (struct ioasid_range){ r->last + 1, UINT64_MAX };
	return list_intersect(list, rest, n);
}

/*
 * What the kernel does not tell: regions of members that have not joined; and the ranges
 * that the IOASID was given.
 */
static int
narrow(struct ioasid_ctx *ctx, uint32_t ioasid, struct list *list)
{
	const struct reserved *r = NULL;
	struct space *space;
	int ret = 0;

	pthread_mutex_lock(&ctx->lock);
	space = space_find(ctx, ioasid);
	while (space != NULL && ret == 0 && (r = reserved_next(space, r)) != NULL)
		ret = list_remove(list, &r->r.range);
	if (space != NULL && ret == 0 && space->nallowed > 0)
		ret = list_intersect(list, space->allowed, space->nallowed);
	pthread_mutex_unlock(&ctx->lock);
	return ret;
}

int
ioasid_iova_ranges(struct ioasid_ctx *ctx, uint32_t ioasid, struct ioasid_range **out,
		   unsigned int *count)
{
	struct list list;
	char subject[32];
	int ret = read_ranges(ctx, ioasid, &list);

	if (ret == -ENOMEM)
		return no_memory();
	if (ret < 0) {
		snprintf(subject, sizeof(subject), "IOASID %" PRIu32, ioasid);
		return error_call(CALL_RANGES, ret, subject, NULL);
	}
	ret = narrow(ctx, ioasid, &list);
	if (ret < 0)
		return ret;
	*out = list.ranges;
	*count = list.count;
	return 0;
}

/* ---- what a device was refused for */

/*
 * Only of a page table that the device is attached to does every IOMMU driver know what it
 * can address: so the device, which is attached nowhere, goes to an empty one for a moment.
 */
static int
reach_of(struct ioasid_device *dev, struct list *list)
{
	struct ioasid_ctx *ctx = dev->ctx;
	int ret, detached = 0;
	uint32_t id;

	ret = space_new_object(ctx, &id);
	if (ret < 0)
		return ret;
	ret = device_attach(dev, id);
	if (ret >= 0) {
		ret = read_ranges(ctx, id, list);
		detached = device_detach(dev);
	}
	if (ret >= 0 && detached < 0) {
		free(list->ranges);
		ret = detached;
	}
	space_destroy_object(ctx, id);
	return ret;
}

static int
reach_in_group(struct ioasid_device *dev, const struct space *space, struct list *list)
{
	const struct ioasid_group_info *info = dev->group->info;
	int ret = 0;

	for (unsigned int i = 0; i < info->nreserved && ret == 0; i++)
		if (sysfs_reserves(&info->reserved[i]))
			ret = list_remove(list, &info->reserved[i].range);
	if (ret == 0 && space->nallowed > 0)
		ret = list_intersect(list, space->allowed, space->nallowed);
	return ret;
}

static int
device_reach(struct ioasid_device *dev, uint32_t ioasid, struct list *list)
{
	struct space *space;
	int ret;

	if (dev->group->attached)
		return error_set(EBUSY, "%s: its IOMMU group %u is attached", dev->bdf,
				 dev->group->number);
	ret = reach_of(dev, list);
	if (ret == -ENOMEM)
		return no_memory();
	if (ret < 0)
		return error_call(CALL_RANGES, ret, dev->bdf, NULL);
	pthread_mutex_lock(&dev->ctx->lock);
	space = space_find(dev->ctx, ioasid);
	if (space != NULL)
		ret = reach_in_group(dev, space, list);
	else
		ret = error_set(ENOENT, "%s: IOVA ranges: no IOASID %" PRIu32, dev->bdf, ioasid);
	pthread_mutex_unlock(&dev->ctx->lock);
	if (ret < 0) {
		free(list->ranges);
		list->ranges = NULL;
	}
	return ret;
}

int
ioasid_device_reach(struct ioasid_device *dev, uint32_t ioasid, struct ioasid_range **ranges,
		    unsigned int *count)
{
	struct list list;
	int ret;

	/* Nobody attaches it meanwhile. */
	group_lock(dev->group);
	ret = device_reach(dev, ioasid, &list);
	group_unlock(dev->group);
	if (ret < 0)
		return ret;
	*ranges = list.ranges;
	*count = list.count;
	return 0;
}

/* Something of the space that is out of reach: what it is, and where. */
static const char *
find_misfit(struct space *space, const struct list *reach, struct ioasid_range *where)
{
	struct map *map;

	for (unsigned int i = 0; i < space->nallowed; i++) {
		*where = space->allowed[i];
		if (!is_within(reach, where->start, where->last))
			return "the allowed range";
	}
	RB_FOREACH(map, map_tree, &space->maps)
	{
		*where = (struct ioasid_range){ map->m.iova, map->m.iova + map->m.length - 1 };
		if (!is_within(reach, where->start, where->last))
			return "the map at IOVA";
	}
	return NULL;
}

static void
describe(const char *what, const struct ioasid_range *where, const struct list *reach, char *buf,
	 size_t size)
{
	size_t used;

	snprintf(buf, size, "%s 0x%" PRIx64 "-0x%" PRIx64 "; within reach:", what, where->start,
		 where->last);
	for (unsigned int i = 0; i < reach->count; i++) {
		used = strlen(buf);
		snprintf(buf + used, size - used, " 0x%" PRIx64 "-0x%" PRIx64,
			 reach->ranges[i].start, reach->ranges[i].last);
	}
}

void
range_describe_misfit(struct ioasid_device *dev, struct space *space, char *buf, size_t size)
{
	struct ioasid_range where;
	struct list reach;
	const char *what;

	buf[0] = '\0';
	if (reach_of(dev, &reach) < 0)
		return;
	pthread_mutex_lock(&dev->ctx->lock);
	what = find_misfit(space, &reach, &where);
	pthread_mutex_unlock(&dev->ctx->lock);
	if (what != NULL)
		describe(what, &where, &reach, buf, size);
	free(reach.ranges);
}
