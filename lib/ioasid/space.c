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

static struct ioasid_ctx *
ctx_new(int fd, const char *name)
{
	struct ioasid_ctx *ctx = calloc(1, sizeof(*ctx));

	if (ctx == NULL)
		return NULL;
	ctx->path = strdup(name);
	if (ctx->path == NULL) {
		free(ctx);
		return NULL;
	}
	ctx->fd = fd;
	ctx->has_map_file = probe_map_file(fd);
	pthread_mutex_init(&ctx->lock, NULL);
	LIST_INIT(&ctx->spaces);
	LIST_INIT(&ctx->devices);
	return ctx;
}

int
ioasid_open(const char *path, struct ioasid_ctx **out)
{
	const char *node = path != NULL ? path : IOASID_NODE;
	struct ioasid_ctx *ctx;
	int fd, ret;

	ret = open_node(node, &fd);
	if (ret == -ENOENT && path == NULL) {
		node = IOMMU_NODE;
		ret = open_node(node, &fd);
	}
	if (ret < 0)
		return error_call(CALL_OPEN, ret, node, NULL);
	ctx = ctx_new(fd, node);
	if (ctx == NULL) {
		ioasid_sys->close(fd);
		return error_set(ENOMEM, "%s: out of memory", node);
	}
	*out = ctx;
	return 0;
}

/* No ioctl is tried on what is no device: a file of any kind may have been inherited. */
static int
check_given(int fd)
{
	char name[256];
	dev_t rdev;
	int ret = given_adopt(fd, "/dev/ioasid");

	if (ret < 0)
		return ret;
	if (ioasid_sys->rdev(fd, &rdev) == 0 && check_is_iommufd(fd) == 0)
		return 0;
	return error_set(ENOTTY,
			 "fd %d, given as /dev/ioasid, is %s and not an iommufd: whoever starts "
			 "this program must hand over an open /dev/iommu",
			 fd, given_name(fd, name, sizeof(name)));
}

int
ioasid_open_fd(int fd, struct ioasid_ctx **out)
{
	struct ioasid_ctx *ctx;
	char name[32];
	int ret = check_given(fd);

	if (ret < 0)
		return ret;
	snprintf(name, sizeof(name), "fd %d", fd);
	ctx = ctx_new(fd, name);
	if (ctx == NULL)
		return error_set(ENOMEM, "%s: out of memory", name);
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

int
space_destroy_object(struct ioasid_ctx *ctx, uint32_t id)
{
	struct kabi_destroy destroy = { .size = sizeof(destroy), .id = id };

	return ioasid_sys->ioctl(ctx->fd, KABI_DESTROY, &destroy);
}

static int
space_destroy(struct ioasid_ctx *ctx, struct space *space)
{
	int ret = space_destroy_object(ctx, space->id);

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

int
ioasid_set_compat(struct ioasid_ctx *ctx, uint32_t ioasid)
{
	struct kabi_vfio_ioas set = {
		.size = sizeof(set),
		.ioas_id = ioasid,
		.op = KABI_VFIO_IOAS_SET,
	};
	int ret = ioasid_sys->ioctl(ctx->fd, KABI_VFIO_IOAS, &set);
	char subject[32];

	if (ret == 0)
		return 0;
	snprintf(subject, sizeof(subject), "IOASID %" PRIu32, ioasid);
	return error_call(CALL_COMPAT, ret, subject, NULL);
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
