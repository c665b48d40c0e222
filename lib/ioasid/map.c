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

static int
check_reserved(struct space *space, uint64_t iova, uint64_t last)
{
	const struct reserved *res = reserved_find(space, iova, last);

	if (res == NULL)
		return 0;
	return error_set(EADDRINUSE,
			 "IOVA 0x%" PRIx64 "-0x%" PRIx64 " touches the reserved region 0x%" PRIx64
			 "-0x%" PRIx64 " (%s) of IOMMU group %u: use other addresses",
			 iova, last, res->r.range.start, res->r.range.last, res->r.type,
			 res->group);
}

/* What is asked to be mapped, and where the memory comes from. */
struct request {
	struct ioasid_map m;
	unsigned int prot;
	int fd; /* -1: the process's memory at the VA */
	uint64_t offset;
};

static bool
is_file(const struct request *req)
{
	return req->fd >= 0;
}

static void
describe(char *buf, size_t size, const struct request *req)
{
	int n = snprintf(buf, size, "IOVA 0x%" PRIx64 " length 0x%" PRIx64 " (VA 0x%" PRIx64,
			 req->m.iova, req->m.length, req->m.va);

	if (is_file(req))
		snprintf(buf + n, size - n, ", file %d offset 0x%" PRIx64 ")", req->fd,
			 req->offset);
	else
		snprintf(buf + n, size - n, ")");
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

static uint32_t
kernel_flags(unsigned int prot)
{
	uint32_t flags = KABI_MAP_FIXED_IOVA;

	if (prot & IOASID_READ)
		flags |= KABI_MAP_READABLE;
	if (prot & IOASID_WRITE)
		flags |= KABI_MAP_WRITEABLE;
	return flags;
}

static int
map_memory(struct ioasid_ctx *ctx, const struct space *space, const struct request *req)
{
	struct kabi_map arg = {
		.size = sizeof(arg),
		.flags = kernel_flags(req->prot),
		.ioas_id = space->id,
		.user_va = req->m.va,
		.length = req->m.length,
		.iova = req->m.iova,
	};

	return ioasid_sys->ioctl(ctx->fd, KABI_MAP, &arg);
}

static int
map_file(struct ioasid_ctx *ctx, const struct space *space, const struct request *req)
{
	struct kabi_map_file arg = {
		.size = sizeof(arg),
		.flags = kernel_flags(req->prot),
		.ioas_id = space->id,
		.fd = req->fd,
		.start = req->offset,
		.length = req->m.length,
		.iova = req->m.iova,
	};

	return ioasid_sys->ioctl(ctx->fd, KABI_MAP_FILE, &arg);
}

/* mapped: bytes in the IOASID so far */
static int
map_kernel(struct ioasid_ctx *ctx, const struct space *space, const struct request *req,
	   uint64_t mapped)
{
	char subject[128], memlock[128];
	int ret;

	ret = is_file(req) ? map_file(ctx, space, req) : map_memory(ctx, space, req);
	if (ret >= 0)
		return 0;
	describe(subject, sizeof(subject), req);
	describe_memlock(memlock, sizeof(memlock), mapped, req->m.length);
	return error_call(is_file(req) ? CALL_MAP_FILE : CALL_MAP, ret, subject,
			  ret == -ENOMEM ? memlock : NULL);
}

/*
 * What the caller can do wrong. The kernel minds misalignment only once a device is
 * attached: before, MAP succeeds, and it is ATTACH that fails, with EADDRINUSE.
 */
static int
check_request(const struct request *req)
{
	const uint64_t page_mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;
	char subject[128];

	if (req->prot == 0 || (req->prot & ~(IOASID_READ | IOASID_WRITE)) != 0)
		return error_set(EINVAL, "map of IOVA 0x%" PRIx64 ": no or unknown access 0x%x",
				 req->m.iova, req->prot);
	if (((req->m.iova | req->m.va | req->m.length | req->offset) & page_mask) == 0)
		return 0;
	describe(subject, sizeof(subject), req);
	return error_set(EINVAL, "map of %s: not a multiple of the page size, %" PRIu64 " bytes",
			 subject, page_mask + 1);
}

static int
being_changed(const struct map *map)
{
	return error_set(EBUSY,
			 "the map at IOVA 0x%" PRIx64 "-0x%" PRIx64
			 " is being made or removed by another thread: try again",
			 map->m.iova, map_last(map));
}

static int
check_free(struct space *space, const struct ioasid_map *m)
{
	const struct map *map;
	uint64_t last;
	int ret;

	if (!range_last(m->iova, m->length, &last))
		return error_set(EINVAL,
				 "map of IOVA 0x%" PRIx64 " length 0x%" PRIx64
				 ": empty, or beyond the end of the address space",
				 m->iova, m->length);
	map = map_first(space, m->iova, last);
	if (map != NULL && map->busy)
		return being_changed(map);
	if (map != NULL)
		return error_set(EEXIST,
				 "IOVA 0x%" PRIx64 "-0x%" PRIx64 " overlaps the map 0x%" PRIx64
				 "-0x%" PRIx64 " (VA 0x%" PRIx64 "): unmap that first",
				 m->iova, last, map->m.iova, map_last(map), map->m.va);
	ret = range_check_allowed(space, m->iova, last);
	return ret < 0 ? ret : check_reserved(space, m->iova, last);
}

/* Take the place of a map that is about to be made; under the lock. */
static int
map_enter(struct ioasid_ctx *ctx, uint32_t ioasid, struct map *map, struct space **space)
{
	int ret;

	*space = space_find(ctx, ioasid);
	if (*space == NULL)
		return error_set(ENOENT, "map: no IOASID %" PRIu32, ioasid);
	ret = check_free(*space, &map->m);
	if (ret < 0)
		return ret;
	RB_INSERT(map_tree, &(*space)->maps, map);
	(*space)->nmaps++;
	(*space)->mapped += map->m.length;
	(*space)->busy++;
	return 0;
}

/* Made, or not. */
static void
map_settle(struct ioasid_ctx *ctx, struct space *space, struct map *map, bool made)
{
	pthread_mutex_lock(&ctx->lock);
	space->busy--;
	map->busy = false;
	if (!made)
		map_remove(space, map);
	pthread_mutex_unlock(&ctx->lock);
}

/* The kernel pins pages meanwhile, which may take long: so without the lock. */
static int
map_make(struct ioasid_ctx *ctx, uint32_t ioasid, const struct request *req, struct map *map)
{
	struct space *space;
	uint64_t mapped = 0;
	int ret;

	pthread_mutex_lock(&ctx->lock);
	ret = map_enter(ctx, ioasid, map, &space);
	if (ret == 0)
		mapped = space->mapped - map->m.length;
	pthread_mutex_unlock(&ctx->lock);
	if (ret < 0) {
		free(map);
		return ret;
	}
	ret = map_kernel(ctx, space, req, mapped);
	map_settle(ctx, space, map, ret == 0);
	return ret;
}

static int
map_request(struct ioasid_ctx *ctx, uint32_t ioasid, const struct request *req)
{
	struct map *map;
	int ret = check_request(req);

	if (ret < 0)
		return ret;
	map = malloc(sizeof(*map));
	if (map == NULL)
		return error_set(ENOMEM, "map of IOVA 0x%" PRIx64 ": out of memory", req->m.iova);
	*map = (struct map){ .m = req->m, .busy = true };
	return map_make(ctx, ioasid, req, map);
}

int
ioasid_map(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t va, uint64_t iova, uint64_t length,
	   unsigned int prot)
{
	const struct request req = {
		.m = { .iova = iova, .va = va, .length = length },
		.prot = prot,
		.fd = -1,
	};

	return map_request(ctx, ioasid, &req);
}

int
ioasid_map_file(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t va, uint64_t iova,
		uint64_t length, unsigned int prot, int fd, uint64_t offset)
{
	const struct request req = {
		.m = { .iova = iova, .va = va, .length = length },
		.prot = prot,
		.fd = fd,
		.offset = offset,
	};

	if (!ctx->has_map_file)
		return error_set(EOPNOTSUPP,
				 "%s: this kernel cannot map by file, that needs Linux 6.13",
				 ctx->path);
	if (fd < 0)
		return error_set(EBADF, "map of IOVA 0x%" PRIx64 ": no file (%d)", iova, fd);
	return map_request(ctx, ioasid, &req);
}

/* The kernel would remove the maps before an offending one: look before. */
static int
check_whole(struct space *space, uint64_t iova, uint64_t last)
{
	struct map *map = map_first(space, iova, last);
	uint64_t next = iova;

	while (map != NULL && map->m.iova <= last) {
		if (map->busy)
			return being_changed(map);
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
unmap_kernel(struct ioasid_ctx *ctx, const struct space *space, uint64_t iova, uint64_t length)
{
	struct kabi_unmap arg = {
		.size = sizeof(arg),
		.ioas_id = space->id,
		.iova = iova,
		.length = length,
	};
	char subject[96];
	int ret = ioasid_sys->ioctl(ctx->fd, KABI_UNMAP, &arg);

	if (ret >= 0)
		return 0;
	snprintf(subject, sizeof(subject), "IOVA 0x%" PRIx64 "-0x%" PRIx64, iova,
		 iova + (length - 1));
	return error_call(CALL_UNMAP, ret, subject, NULL);
}

/* The maps in a range, which nobody else touches until they are settled; under the lock. */
static int
unmap_enter(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t iova, uint64_t last,
	    struct space **space)
{
	struct map *map;
	int ret;

	*space = space_find(ctx, ioasid);
	if (*space == NULL)
		return error_set(ENOENT, "unmap: no IOASID %" PRIu32, ioasid);
	ret = check_whole(*space, iova, last);
	if (ret < 0)
		return ret;
	for (map = map_first(*space, iova, last); map != NULL && map->m.iova <= last;
	     map = RB_NEXT(map_tree, &(*space)->maps, map))
		map->busy = true;
	(*space)->busy++;
	return 0;
}

/* Gone, or still there. */
static void
unmap_settle(struct space *space, uint64_t iova, uint64_t last, bool gone)
{
	struct map *map, *next;

	space->busy--;
	for (map = map_first(space, iova, last); map != NULL && map->m.iova <= last; map = next) {
		next = RB_NEXT(map_tree, &space->maps, map);
		map->busy = false;
		if (gone)
			map_remove(space, map);
	}
}

int
ioasid_unmap(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t iova, uint64_t length)
{
	struct space *space;
	uint64_t last;
	int ret;

	if (!range_last(iova, length, &last))
		return error_set(EINVAL,
				 "unmap of IOVA 0x%" PRIx64 " length 0x%" PRIx64
				 ": empty, or beyond the end of the address space",
				 iova, length);
	pthread_mutex_lock(&ctx->lock);
	ret = unmap_enter(ctx, ioasid, iova, last, &space);
	pthread_mutex_unlock(&ctx->lock);
	if (ret < 0)
		return ret;
	ret = unmap_kernel(ctx, space, iova, length);
	pthread_mutex_lock(&ctx->lock);
	unmap_settle(space, iova, last, ret == 0);
	pthread_mutex_unlock(&ctx->lock);
	return ret;
}

/* One that is being made or removed is none. */
static struct map *
first_settled(struct space *space, uint64_t iova, uint64_t last)
{
	struct map *map = map_first(space, iova, last);

	while (map != NULL && map->busy)
		map = RB_NEXT(map_tree, &space->maps, map);
	return map != NULL && map->m.iova <= last ? map : NULL;
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
	map = space != NULL ? first_settled(space, iova, last) : NULL;
	if (map != NULL)
		*out = map->m;
	pthread_mutex_unlock(&ctx->lock);
	return map != NULL ? 0 : -ENOENT;
}

unsigned int
ioasid_list_maps(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t from, struct ioasid_map *maps,
		 unsigned int room)
{
	struct map *map, key = { .m.iova = from };
	struct space *space;
	unsigned int n = 0;

	pthread_mutex_lock(&ctx->lock);
	space = space_find(ctx, ioasid);
	map = space != NULL ? RB_NFIND(map_tree, &space->maps, &key) : NULL;
	for (; map != NULL && n < room; map = RB_NEXT(map_tree, &space->maps, map))
		if (!map->busy)
			maps[n++] = map->m;
	pthread_mutex_unlock(&ctx->lock);
	return n;
}
