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
 * makes the ioctl fail without side effects: EOPNOTSUPP says that it is there. Some errors
 * say nothing of what it is: want of memory, a filter of system calls.
 */
static int
check_is_iommufd(int fd)
{
	struct kabi_ioas_alloc probe = { .size = sizeof(probe), .flags = UINT32_MAX };
	int ret = ioasid_sys->ioctl(fd, KABI_IOAS_ALLOC, &probe);

	if (ret == -ENOMEM || ret == -EPERM || ret == -EACCES)
		return ret;
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
		return error_call(CALL_OPEN, *fd, path, NULL);
	ret = check_is_iommufd(*fd);
	if (ret == 0)
		return 0;
	ioasid_sys->close(*fd);
	return error_call(CALL_PROBE, ret, path, NULL);
}

static int
space_cmp(const struct space *a, const struct space *b)
{
	return (a->id > b->id) - (a->id < b->id);
}

RB_GENERATE(space_tree, space, entry, space_cmp)

/* It is held for some instructions only: whoever finds it taken had better not sleep. */
static void
init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

/* fd: -1 for a context of the group rule alone. */
static struct ioasid_ctx *
ctx_new(int fd, const char *name, const struct ioasid_policy *policy)
{
	struct ioasid_ctx *ctx = calloc(1, sizeof(*ctx));

	if (ctx != NULL)
		ctx->path = strdup(name);
	if (ctx == NULL || ctx->path == NULL) {
		free(ctx);
		error_set(ENOMEM, "%s: out of memory", name);
		return NULL;
	}
	ctx->fd = fd;
	ctx->has_map_file = fd >= 0 && probe_map_file(fd);
	if (policy != NULL)
		ctx->policy = *policy;
	init_lock(&ctx->lock);
	RB_INIT(&ctx->spaces);
	RB_INIT(&ctx->devices);
	RB_INIT(&ctx->groups);
	LIST_INIT(&ctx->risky);
	LIST_INIT(&ctx->waiting);
	return ctx;
}

int
ioasid_open(const char *path, const struct ioasid_policy *policy, struct ioasid_ctx **out)
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
		return ret;
	ctx = ctx_new(fd, node, policy);
	if (ctx == NULL) {
		ioasid_sys->close(fd);
		return -ENOMEM;
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
	ret = ioasid_sys->rdev(fd, &rdev) == 0 ? check_is_iommufd(fd) : -ENOTTY;
	if (ret == 0)
		return 0;
	if (ret != -ENOTTY) {
		snprintf(name, sizeof(name), "fd %d, given as /dev/ioasid", fd);
		return error_call(CALL_PROBE, ret, name, NULL);
	}
	return error_set(ENOTTY,
			 "fd %d, given as /dev/ioasid, is %s and not an iommufd: whoever starts "
			 "this program must hand over an open /dev/iommu",
			 fd, given_name(fd, name, sizeof(name)));
}

int
ioasid_open_fd(int fd, const struct ioasid_policy *policy, struct ioasid_ctx **out)
{
	char name[32];
	int ret = check_given(fd);

	if (ret < 0)
		return ret;
	snprintf(name, sizeof(name), "fd %d", fd);
	*out = ctx_new(fd, name, policy);
	return *out != NULL ? 0 : -ENOMEM;
}

int
ioasid_open_rule(const struct ioasid_policy *policy, struct ioasid_ctx **out)
{
	*out = ctx_new(-1, "", policy);
	return *out != NULL ? 0 : -ENOMEM;
}

int
space_new_object(struct ioasid_ctx *ctx, uint32_t *id)
{
	struct kabi_ioas_alloc alloc = { .size = sizeof(alloc) };
	int ret = ioasid_sys->ioctl(ctx->fd, KABI_IOAS_ALLOC, &alloc);

	if (ret >= 0)
		*id = alloc.out_ioas_id;
	return ret < 0 ? ret : 0;
}

int
space_destroy_object(struct ioasid_ctx *ctx, uint32_t id)
{
	struct kabi_destroy destroy = { .size = sizeof(destroy), .id = id };

	return ioasid_sys->ioctl(ctx->fd, KABI_DESTROY, &destroy);
}

static void
space_free(struct space *space)
{
	map_forget_all(space);
	reserved_forget_all(space);
	free(space->allowed);
	free(space);
}

void
ioasid_close(struct ioasid_ctx *ctx)
{
	struct space *space;

	if (ctx == NULL)
		return;
	group_end_all(ctx);
	/* Closing the fd frees the IOASIDs in one go, cheaper than one by one. */
	if (ctx->fd >= 0)
		ioasid_sys->close(ctx->fd);
	while ((space = RB_ROOT(&ctx->spaces)) != NULL) {
		RB_REMOVE(space_tree, &ctx->spaces, space);
		space_free(space);
	}
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
	struct space key = { .id = ioasid };

	return RB_FIND(space_tree, &ctx->spaces, &key);
}

int
ioasid_alloc(struct ioasid_ctx *ctx, uint32_t *ioasid)
{
	struct space *space = calloc(1, sizeof(*space));
	int ret;

	if (space == NULL)
		return error_set(ENOMEM, "%s: out of memory", ctx->path);
	ret = space_new_object(ctx, &space->id);
	if (ret < 0) {
		free(space);
		return error_call(CALL_ALLOC, ret, ctx->path, NULL);
	}
	RB_INIT(&space->maps);
	RB_INIT(&space->reserved);
	*ioasid = space->id;
	pthread_mutex_lock(&ctx->lock);
	RB_INSERT(space_tree, &ctx->spaces, space);
	ctx->nspaces++;
	pthread_mutex_unlock(&ctx->lock);
	return 0;
}

/* From now on nobody finds it: NULL, there is none or it is in use. */
static struct space *
take_out(struct ioasid_ctx *ctx, uint32_t ioasid, int *ret)
{
	struct space *space;

	pthread_mutex_lock(&ctx->lock);
	space = space_find(ctx, ioasid);
	*ret = space == NULL ? -ENOENT : space->busy > 0 || space->ndevices > 0 ? -EBUSY : 0;
	if (*ret == 0) {
		RB_REMOVE(space_tree, &ctx->spaces, space);
		ctx->nspaces--;
	}
	pthread_mutex_unlock(&ctx->lock);
	return *ret == 0 ? space : NULL;
}

static void
put_back(struct ioasid_ctx *ctx, struct space *space)
{
	pthread_mutex_lock(&ctx->lock);
	RB_INSERT(space_tree, &ctx->spaces, space);
	ctx->nspaces++;
	pthread_mutex_unlock(&ctx->lock);
}

int
ioasid_free(struct ioasid_ctx *ctx, uint32_t ioasid)
{
	char subject[32];
	int ret;
	struct space *space = take_out(ctx, ioasid, &ret);

	/* Unpinning takes its time: without the lock. */
	if (space != NULL)
		ret = space_destroy_object(ctx, ioasid);
	if (space != NULL && ret < 0)
		put_back(ctx, space);
	if (ret < 0) {
		snprintf(subject, sizeof(subject), "IOASID %" PRIu32, ioasid);
		return error_call(CALL_FREE, ret, subject, NULL);
	}
	space_free(space);
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
