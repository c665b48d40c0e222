/* SPDX-License-Identifier: BSD-3-Clause */

/* Maps of process memory in an IOASID. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "error.h"
#include "internal.h"
#include "kernel_abi.h"
#include "sys.h"

static int
map_cmp(const struct map *a, const struct map *b)
{
	return (a->m.iova > b->m.iova) - (a->m.iova < b->m.iova);
}

RB_GENERATE(map_tree, map, entry, map_cmp)

static uint64_t
map_last(const struct map *map)
{
	return map->m.iova + map->m.length - 1;
}

/* A range is described by its inclusive end; false: empty, or wraps around. */
static bool
range_last(uint64_t start, uint64_t length, uint64_t *last)
{
	return length > 0 && !__builtin_add_overflow(start, length - 1, last);
}

struct map *
map_first(struct space *space, uint64_t iova, uint64_t last)
{
	struct map key = { .m.iova = iova };
	struct map *next = RB_NFIND(map_tree, &space->maps, &key);
	struct map *prev = next != NULL ? RB_PREV(map_tree, &space->maps, next)
					: RB_MAX(map_tree, &space->maps);

	/* Maps do not overlap, so only the one before can reach into the range. */
	if (prev != NULL && map_last(prev) >= iova)
		return prev;
	return next != NULL && next->m.iova <= last ? next : NULL;
}

static void
map_remove(struct space *space, struct map *map)
{
	RB_REMOVE(map_tree, &space->maps, map);
	space->nmaps--;
	space->mapped -= map->m.length;
	free(map);
}

void
map_forget_all(struct space *space)
{
	struct map *map;

	while ((map = RB_ROOT(&space->maps)) != NULL)
		map_remove(space, map);
}

/* The reserved region of a group that a range touches, or NULL. */
static const struct ioasid_reserved *
find_reserved(const struct ioasid_group *group, uint64_t iova, uint64_t last)
{
	for (unsigned int i = 0; i < group->nreserved; i++) {
		const struct ioasid_reserved *r = &group->reserved[i];

		if (group_reserves(r) && iova <= r->range.last && last >= r->range.start)
			return r;
	}
	return NULL;
}

/*
 * The kernel knows the reserved regions of attached devices only; those of the other
 * members of their groups are just as unusable.
 */
static int
check_reserved(struct ioasid_ctx *ctx, const struct space *space, uint64_t iova, uint64_t last)
{
	const struct ioasid_reserved *r;
	struct ioasid_device *dev;

	LIST_FOREACH(dev, &ctx->devices, entry) {
		if (dev->space != space)
			continue;
		r = find_reserved(dev->group, iova, last);
		if (r != NULL)
			return error_set(EADDRINUSE,
					 "IOVA 0x%" PRIx64 "-0x%" PRIx64
					 " touches the reserved region 0x%" PRIx64 "-0x%" PRIx64
					 " (%s) of IOMMU group %u of %s: use other addresses, "
					 "for DPDK by --base-virtaddr",
					 iova, last, r->range.start, r->range.last, r->type,
					 dev->group->number, dev->bdf);
	}
	return 0;
}

static void
describe(char *buf, size_t size, uint64_t va, uint64_t iova, uint64_t length)
{
	snprintf(buf, size, "IOVA 0x%" PRIx64 " length 0x%" PRIx64 " (VA 0x%" PRIx64 ")", iova,
		 length, va);
}

/* What the user must know to mend ENOMEM: how much is wanted, how much is allowed. */
static void
describe_memlock(char *buf, size_t size, uint64_t mapped, uint64_t length)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_MEMLOCK, &lim) != 0 || lim.rlim_cur == RLIM_INFINITY)
		snprintf(buf, size,
			 "%" PRIu64 " KiB are mapped already, %" PRIu64 " KiB more wanted; "
			 "RLIMIT_MEMLOCK is unlimited",
			 mapped >> 10, length >> 10);
	else
		snprintf(buf, size,
			 "at least %" PRIu64 " KiB needed, RLIMIT_MEMLOCK is %" PRIu64 " KiB",
			 (mapped + length) >> 10, (uint64_t)lim.rlim_cur >> 10);
}

static int
map_kernel(struct ioasid_ctx *ctx, struct space *space, const struct ioasid_map *m,
	   unsigned int prot)
{
	struct kabi_map arg = {
		.size = sizeof(arg),
		.flags = KABI_MAP_FIXED_IOVA,
		.ioas_id = space->id,
		.user_va = m->va,
		.length = m->length,
		.iova = m->iova,
	};
	char subject[96], memlock[128];
	int ret;

	if (prot & IOASID_READ)
		arg.flags |= KABI_MAP_READABLE;
	if (prot & IOASID_WRITE)
		arg.flags |= KABI_MAP_WRITEABLE;
	ret = ioasid_sys->ioctl(ctx->fd, KABI_MAP, &arg);
	if (ret >= 0)
		return 0;
	describe(subject, sizeof(subject), m->va, m->iova, m->length);
	describe_memlock(memlock, sizeof(memlock), space->mapped, m->length);
	return error_call(CALL_MAP, ret, subject, ret == -ENOMEM ? memlock : NULL);
}

/*
 * What the caller can do wrong. The kernel minds misalignment only once a device is
 * attached: before, MAP succeeds, and it is ATTACH that fails, with EADDRINUSE.
 */
static int
check_request(const struct ioasid_map *m, unsigned int prot)
{
	const uint64_t page_mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;

	if (prot == 0 || (prot & ~(IOASID_READ | IOASID_WRITE)) != 0)
		return error_set(EINVAL, "map of IOVA 0x%" PRIx64 ": no or unknown access 0x%x",
				 m->iova, prot);
	if ((m->iova | m->va | m->length) & page_mask)
		return error_set(EINVAL,
				 "map of IOVA 0x%" PRIx64 " length 0x%" PRIx64 " (VA 0x%" PRIx64
				 "): not a multiple of the page size, %" PRIu64 " bytes",
				 m->iova, m->length, m->va, page_mask + 1);
	return 0;
}

static int
map_add(struct ioasid_ctx *ctx, struct space *space, const struct ioasid_map *m, unsigned int prot)
{
	struct map *map;
	uint64_t last;
	int ret;

	ret = check_request(m, prot);
	if (ret < 0)
		return ret;
	if (!range_last(m->iova, m->length, &last))
		return error_set(EINVAL,
				 "map of IOVA 0x%" PRIx64 " length 0x%" PRIx64
				 ": empty, or beyond the end of the address space",
				 m->iova, m->length);
	map = map_first(space, m->iova, last);
	if (map != NULL)
		return error_set(EEXIST,
				 "IOVA 0x%" PRIx64 "-0x%" PRIx64 " overlaps the map 0x%" PRIx64
				 "-0x%" PRIx64 " (VA 0x%" PRIx64 "): unmap that first",
				 m->iova, last, map->m.iova, map_last(map), map->m.va);
	ret = range_check_allowed(space, m->iova, last);
	if (ret == 0)
		ret = check_reserved(ctx, space, m->iova, last);
	if (ret < 0)
		return ret;

	map = malloc(sizeof(*map));
	if (map == NULL)
		return error_set(ENOMEM, "map of IOVA 0x%" PRIx64 ": out of memory", m->iova);
	ret = map_kernel(ctx, space, m, prot);
	if (ret < 0) {
		free(map);
		return ret;
	}
	map->m = *m;
	space->mapped += m->length;
	space->nmaps++;
	RB_INSERT(map_tree, &space->maps, map);
	return 0;
}

int
ioasid_map(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t va, uint64_t iova, uint64_t length,
	   unsigned int prot)
{
	const struct ioasid_map m = { .iova = iova, .va = va, .length = length };
	struct space *space;
	int ret;

	pthread_mutex_lock(&ctx->lock);
	space = space_find(ctx, ioasid);
	if (space == NULL)
		ret = error_set(ENOENT, "map: no IOASID %" PRIu32, ioasid);
	else
		ret = map_add(ctx, space, &m, prot);
	pthread_mutex_unlock(&ctx->lock);
	return ret;
}

/* The kernel would remove the maps before an offending one: look before. */
static int
check_whole(struct space *space, uint64_t iova, uint64_t last)
{
	struct map *map = map_first(space, iova, last);
	uint64_t next = iova;

	while (map != NULL && map->m.iova <= last) {
		if (map->m.iova < iova || map_last(map) > last)
			return error_set(EINVAL,
					 "unmap of IOVA 0x%" PRIx64 "-0x%" PRIx64
					 " would cut the map 0x%" PRIx64 "-0x%" PRIx64
					 ": it can only be unmapped whole",
					 iova, last, map->m.iova, map_last(map));
		if (map->m.iova != next)
			break;
		if (map_last(map) == last)
			return 0;
		next = map_last(map) + 1;
		map = RB_NEXT(map_tree, &space->maps, map);
	}
	return error_set(ENOENT,
			 "unmap of IOVA 0x%" PRIx64 "-0x%" PRIx64
			 ": nothing is mapped at 0x%" PRIx64,
			 iova, last, next);
}

static int
map_del(struct ioasid_ctx *ctx, struct space *space, uint64_t iova, uint64_t length)
{
	struct kabi_unmap arg = {
		.size = sizeof(arg),
		.ioas_id = space->id,
		.iova = iova,
		.length = length,
	};
	char subject[96];
	struct map *map;
	uint64_t last;
	int ret;

	if (!range_last(iova, length, &last))
		return error_set(EINVAL,
				 "unmap of IOVA 0x%" PRIx64 " length 0x%" PRIx64
				 ": empty, or beyond the end of the address space",
				 iova, length);
	ret = check_whole(space, iova, last);
	if (ret < 0)
		return ret;
	ret = ioasid_sys->ioctl(ctx->fd, KABI_UNMAP, &arg);
	if (ret < 0) {
		snprintf(subject, sizeof(subject), "IOVA 0x%" PRIx64 "-0x%" PRIx64, iova, last);
		return error_call(CALL_UNMAP, ret, subject, NULL);
	}
	while ((map = map_first(space, iova, last)) != NULL)
		map_remove(space, map);
	return 0;
}

int
ioasid_unmap(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t iova, uint64_t length)
{
	struct space *space;
	int ret;

	pthread_mutex_lock(&ctx->lock);
	space = space_find(ctx, ioasid);
	if (space == NULL)
		ret = error_set(ENOENT, "unmap: no IOASID %" PRIu32, ioasid);
	else
		ret = map_del(ctx, space, iova, length);
	pthread_mutex_unlock(&ctx->lock);
	return ret;
}

int
ioasid_find_map(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t iova, uint64_t length,
		struct ioasid_map *out)
{
	struct space *space;
	struct map *map;
	uint64_t last;

	if (!range_last(iova, length, &last))
		return -EINVAL;
	pthread_mutex_lock(&ctx->lock);
	space = space_find(ctx, ioasid);
	map = space != NULL ? map_first(space, iova, last) : NULL;
	if (map != NULL)
		*out = map->m;
	pthread_mutex_unlock(&ctx->lock);
	return map != NULL ? 0 : -ENOENT;
}

int
ioasid_list_maps(struct ioasid_ctx *ctx, uint32_t ioasid, unsigned int first,
		 struct ioasid_map *maps, unsigned int *count)
{
	const unsigned int room = *count;
	struct space *space;
	struct map *map;
	unsigned int i = 0;

	*count = 0;
	pthread_mutex_lock(&ctx->lock);
	space = space_find(ctx, ioasid);
	if (space != NULL) {
		RB_FOREACH(map, map_tree, &space->maps)
		{
			if (*count == room)
				break;
			if (i++ >= first)
				maps[(*count)++] = map->m;
		}
	}
	pthread_mutex_unlock(&ctx->lock);
	return space != NULL ? 0 : -ENOENT;
}
