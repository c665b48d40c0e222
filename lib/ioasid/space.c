/* SPDX-License-Identifier: BSD-3-Clause */

/* The open /dev/ioasid and its IOASIDs. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "internal.h"
#include "kernel_abi.h"
#include "sys.h"

#define IOASID_NODE "/dev/ioasid"
#define IOMMU_NODE  "/dev/iommu"

/*
 * A node that is not an iommufd would only be noticed by BIND. An unsupported flag
 * makes the ioctl fail without side effects: EOPNOTSUPP says that it is there.
 */
static int
check_is_iommufd(int fd)
{
	struct kabi_ioas_alloc probe = { .size = sizeof(probe), .flags = UINT32_MAX };
	int ret = ioasid_sys->ioctl(fd, KABI_IOAS_ALLOC, &probe);

	return ret == -EOPNOTSUPP ? 0 : -ENOTTY;
}

/* By an unsupported flag, too: ENOTTY says that the kernel does not know it. */
static bool
probe_map_file(int fd)
{
	struct kabi_map_file probe = { .size = sizeof(probe), .flags = UINT32_MAX, .fd = -1 };

	return ioasid_sys->ioctl(fd, KABI_MAP_FILE, &probe) == -EOPNOTSUPP;
}

static int
open_node(const char *path, int *fd)
{
	int ret;

	*fd = ioasid_sys->open(path, O_RDWR);
	if (*fd < 0)
		return *fd;
	ret = check_is_iommufd(*fd);
	if (ret < 0)
		ioasid_sys->close(*fd);
	return ret;
}

int
ioasid_open(const char *path, struct ioasid_ctx **out)
{
	struct ioasid_ctx *ctx = calloc(1, sizeof(*ctx));
	const char *node = path != NULL ? path : IOASID_NODE;
	int ret;

	if (ctx == NULL)
		return error_set(ENOMEM, "%s: out of memory", node);

	ret = open_node(node, &ctx->fd);
	if (ret == -ENOENT && path == NULL) {
		node = IOMMU_NODE;
		ret = open_node(node, &ctx->fd);
	}
	if (ret < 0) {
		free(ctx);
		return error_call(CALL_OPEN, ret, node, NULL);
	}
	ctx->path = strdup(node);
	if (ctx->path == NULL) {
		ioasid_sys->close(ctx->fd);
		free(ctx);
		return error_set(ENOMEM, "%s: out of memory", node);
	}
	ctx->has_map_file = probe_map_file(ctx->fd);
	pthread_mutex_init(&ctx->lock, NULL);
	LIST_INIT(&ctx->spaces);
	LIST_INIT(&ctx->devices);
	*out = ctx;
	return 0;
}

/* After the kernel has: forget it. */
static void
space_free(struct space *space)
{
	map_forget_all(space);
	LIST_REMOVE(space, entry);
	free(space->allowed);
	free(space);
}

static int
space_destroy(struct ioasid_ctx *ctx, struct space *space)
{
	struct kabi_destroy destroy = { .size = sizeof(destroy), .id = space->id };
	int ret = ioasid_sys->ioctl(ctx->fd, KABI_DESTROY, &destroy);

	if (ret < 0)
		return ret;
	space_free(space);
	return 0;
}

void
ioasid_close(struct ioasid_ctx *ctx)
{
	struct ioasid_device *dev;
	struct space *space;

	if (ctx == NULL)
		return;
	pthread_mutex_lock(&ctx->lock);
	while ((dev = LIST_FIRST(&ctx->devices)) != NULL)
		device_drop(dev);
	/* Closing the fd frees the IOASIDs in one go, cheaper than one by one. */
	ioasid_sys->close(ctx->fd);
	while ((space = LIST_FIRST(&ctx->spaces)) != NULL)
		space_free(space);
	pthread_mutex_unlock(&ctx->lock);
	pthread_mutex_destroy(&ctx->lock);
	free(ctx->path);
	free(ctx);
}

int
ioasid_fd(const struct ioasid_ctx *ctx)
{
	return ctx->fd;
}

bool
ioasid_has_map_file(const struct ioasid_ctx *ctx)
{
	return ctx->has_map_file;
}

const char *
ioasid_path(const struct ioasid_ctx *ctx)
{
	return ctx->path;
}

struct space *
space_find(struct ioasid_ctx *ctx, uint32_t ioasid)
{
	struct space *space;

	LIST_FOREACH(space, &ctx->spaces, entry)
		if (space->id == ioasid)
			return space;
	return NULL;
}

int
ioasid_alloc(struct ioasid_ctx *ctx, uint32_t *ioasid)
{
	struct kabi_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct space *space = calloc(1, sizeof(*space));
	int ret;

	if (space == NULL)
		return error_set(ENOMEM, "%s: out of memory", ctx->path);

	ret = ioasid_sys->ioctl(ctx->fd, KABI_IOAS_ALLOC, &alloc);
	if (ret < 0) {
		free(space);
		return error_call(CALL_ALLOC, ret, ctx->path, NULL);
	}
	space->id = alloc.out_ioas_id;
	RB_INIT(&space->maps);
	pthread_mutex_lock(&ctx->lock);
	LIST_INSERT_HEAD(&ctx->spaces, space, entry);
	pthread_mutex_unlock(&ctx->lock);
	*ioasid = space->id;
	return 0;
}

int
ioasid_free(struct ioasid_ctx *ctx, uint32_t ioasid)
{
	struct space *space;
	int ret = -ENOENT;
	char subject[32];

	pthread_mutex_lock(&ctx->lock);
	space = space_find(ctx, ioasid);
	if (space != NULL)
		ret = space_destroy(ctx, space);
	pthread_mutex_unlock(&ctx->lock);
	if (ret < 0) {
		snprintf(subject, sizeof(subject), "IOASID %" PRIu32, ioasid);
		return error_call(CALL_FREE, ret, subject, NULL);
	}
	return 0;
}

uint64_t
ioasid_mapped_bytes(struct ioasid_ctx *ctx)
{
	struct space *space;
	uint64_t sum = 0;

	pthread_mutex_lock(&ctx->lock);
	LIST_FOREACH(space, &ctx->spaces, entry)
		sum += space->mapped;
	pthread_mutex_unlock(&ctx->lock);
	return sum;
}
