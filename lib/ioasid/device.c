/* SPDX-License-Identifier: BSD-3-Clause */

/* Devices: JOIN, ATTACH under the all-joined rule, DETACH, LEAVE. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "error.h"
#include "internal.h"
#include "kernel_abi.h"
#include "sys.h"

#define CDEV_DIR "/dev/vfio/devices"

struct ioasid_device *
device_find(struct ioasid_ctx *ctx, const char *bdf)
{
	struct ioasid_device *dev;

	LIST_FOREACH(dev, &ctx->devices, entry)
		if (strcmp(dev->bdf, bdf) == 0)
			return dev;
	return NULL;
}

static bool
at_risk(struct ioasid_ctx *ctx, const struct ioasid_member *m)
{
	return !m->bridge && device_find(ctx, m->bdf) == NULL;
}

bool
ioasid_is_at_risk(struct ioasid_ctx *ctx, const struct ioasid_member *member)
{
	bool risk;

	pthread_mutex_lock(&ctx->lock);
	risk = at_risk(ctx, member);
	pthread_mutex_unlock(&ctx->lock);
	return risk;
}

/* The number of the device's cdev. A kernel without device cdevs has none in sysfs. */
static int
read_rdev(const struct ioasid_device *dev, dev_t *rdev)
{
	char path[PATH_MAX];
	unsigned int maj, min;
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "%s/%s/vfio-dev/%s/dev", dev->sysfs, dev->bdf, dev->cdev);
	f = fopen(path, "re");
	if (f == NULL)
		return error_set(ENOENT,
				 "%s: the kernel's VFIO has no device nodes (no %s): it needs "
				 "Linux 6.6 and CONFIG_VFIO_DEVICE_CDEV",
				 dev->bdf, path);
	n = fscanf(f, "%u:%u", &maj, &min);
	fclose(f);
	if (n != 2)
		return error_set(EPROTO, "%s: %s holds no device number", dev->bdf, path);
	*rdev = makedev(maj, min);
	return 0;
}

static bool
is_device(int fd, dev_t wanted)
{
	dev_t rdev;

	return ioasid_sys->rdev(fd, &rdev) == 0 && rdev == wanted;
}

/* A stale node in a container's /dev could be another device by now: compare numbers. */
static int
open_node(struct ioasid_device *dev, dev_t wanted)
{
	char node[sizeof(CDEV_DIR) + IOASID_CDEV_SIZE + 1];

	snprintf(node, sizeof(node), CDEV_DIR "/%s", dev->cdev);
	dev->fd = ioasid_sys->open(node, O_RDWR);
	if (dev->fd < 0)
		return error_call(CALL_OPEN_CDEV, dev->fd, dev->bdf, node);
	if (is_device(dev->fd, wanted))
		return 0;
	ioasid_sys->close(dev->fd);
	return error_set(EPROTO,
			 "%s: %s is not device %u:%u: the node is stale, make it anew (udevadm "
			 "trigger, or the container's device list)",
			 dev->bdf, node, major(wanted), minor(wanted));
}

static int
adopt_fd(struct ioasid_device *dev, int fd, dev_t wanted)
{
	char name[256];
	int ret = given_adopt(fd, dev->bdf);

	if (ret < 0)
		return ret;
	if (!is_device(fd, wanted))
		return error_set(EPROTO,
				 "%s: fd %d is %s and not its device node, which is " CDEV_DIR
				 "/%s (%u:%u)",
				 dev->bdf, fd, given_name(fd, name, sizeof(name)), dev->cdev,
				 major(wanted), minor(wanted));
	dev->fd = fd;
	return 0;
}

static int
open_cdev(struct ioasid_device *dev, int given)
{
	dev_t rdev;
	int ret;

	ret = group_read_cdev(dev->sysfs, dev->bdf, dev->cdev);
	if (ret < 0)
		return error_set(-ret,
				 "%s: not bound to a VFIO driver with a device node: bind it to "
				 "vfio-pci (dpdk-devbind.py -b vfio-pci %s); the kernel needs "
				 "CONFIG_VFIO_DEVICE_CDEV",
				 dev->bdf, dev->bdf);
	ret = read_rdev(dev, &rdev);
	if (ret < 0)
		return ret;
	return given >= 0 ? adopt_fd(dev, given, rdev) : open_node(dev, rdev);
}

/* BIND as every kernel knows it, or with a token. */
static int
bind_ioctl(struct ioasid_device *dev, const uint8_t *token)
{
	struct kabi_bind_token arg = {
		.bind = { .argsz = sizeof(arg.bind), .iommufd = dev->ctx->fd },
	};
	int ret;

	if (token != NULL) {
		arg.bind.argsz = sizeof(arg);
		arg.bind.flags = KABI_BIND_TOKEN;
		arg.token_uuid_ptr = (uintptr_t)token;
	}
	ret = ioasid_sys->ioctl(dev->fd, KABI_BIND, &arg);
	if (ret == 0)
		dev->devid = arg.bind.out_devid;
	return ret;
}

/* Only the physical function of an SR-IOV device has this file. */
static bool
is_physical_function(const struct ioasid_device *dev)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/sriov_totalvfs", dev->sysfs, dev->bdf);
	return access(path, F_OK) == 0;
}

/*
 * BIND of a physical function sets the token. Before Linux 6.17 it takes none (EINVAL), and
 * asks none of the virtual functions; but /dev/vfio/GROUP does, so it is set all the same.
 */
static int
bind_physical_function(struct ioasid_device *dev, const uint8_t *token)
{
	struct kabi_feature_token feature = {
		.argsz = sizeof(feature),
		.flags = KABI_FEATURE_SET_VF_TOKEN,
	};
	int ret = bind_ioctl(dev, token);

	if (ret != -EINVAL && ret != -E2BIG)
		return ret;
	ret = bind_ioctl(dev, NULL);
	if (ret < 0)
		return ret;
	memcpy(feature.uuid, token, sizeof(feature.uuid));
	ioasid_sys->ioctl(dev->fd, KABI_FEATURE, &feature);
	dev->token_unchecked = true;
	return 0;
}

/* The kernel refuses a token where none is needed, so first comes BIND without. */
static int
bind_with_token(struct ioasid_device *dev, const uint8_t *token)
{
	int ret;

	if (is_physical_function(dev))
		return bind_physical_function(dev, token);
	ret = bind_ioctl(dev, NULL);
	return ret == -EACCES ? bind_ioctl(dev, token) : ret;
}

static int
bind_kernel(struct ioasid_device *dev, const uint8_t *token)
{
	char holders[256] = "";
	int ret = token != NULL ? bind_with_token(dev, token) : bind_ioctl(dev, NULL);

	if (ret >= 0)
		return 0;
	if (ret == -EPERM || ret == -EBUSY || ret == -EINVAL)
		holder_describe(dev->sysfs, dev->bdf, holders, sizeof(holders));
	return error_call(token != NULL && ret == -EACCES ? CALL_TOKEN : CALL_BIND, ret, dev->bdf,
			  holders);
}

static void
device_free(struct ioasid_device *dev)
{
	ioasid_group_free(dev->group);
	free(dev->sysfs);
	free(dev);
}

static struct ioasid_device *
device_new(struct ioasid_ctx *ctx, const char *sysfs, const char *bdf, unsigned int flags)
{
	struct ioasid_device *dev = calloc(1, sizeof(*dev));

	if (dev == NULL)
		return NULL;
	dev->ctx = ctx;
	dev->flags = flags;
	dev->sysfs = strdup(sysfs);
	snprintf(dev->bdf, sizeof(dev->bdf), "%s", bdf);
	if (dev->sysfs == NULL) {
		free(dev);
		return NULL;
	}
	return dev;
}

static int
join(struct ioasid_device *dev, const struct ioasid_join_how *how)
{
	int ret = ioasid_group_read(dev->sysfs, dev->bdf, &dev->group);

	if (ret < 0)
		return ret;
	ret = open_cdev(dev, how->fd);
	if (ret < 0)
		return ret;
	ret = bind_kernel(dev, how->vf_token);
	if (ret < 0) {
		/* One that was given stays the giver's. */
		if (how->fd < 0)
			ioasid_sys->close(dev->fd);
		return ret;
	}
	LIST_INSERT_HEAD(&dev->ctx->devices, dev, entry);
	return 0;
}

int
ioasid_join(struct ioasid_ctx *ctx, const char *sysfs, const char *bdf, unsigned int flags,
	    struct ioasid_device **out)
{
	const struct ioasid_join_how how = { .flags = flags, .fd = -1 };

	return ioasid_join_with(ctx, sysfs, bdf, &how, out);
}

int
ioasid_join_with(struct ioasid_ctx *ctx, const char *sysfs, const char *bdf,
		 const struct ioasid_join_how *how, struct ioasid_device **out)
{
	struct ioasid_device *dev;
	int ret;

	if (how->flags & ~IOASID_IMPLICIT_GROUP)
		return error_set(EINVAL, "%s: join with unknown flags 0x%x", bdf, how->flags);
	/* Cut to our size it could be the name of another device. */
	if (strlen(bdf) >= IOASID_BDF_SIZE)
		return error_set(ENODEV, "\"%.40s\" is not the address of a device", bdf);
	dev = device_new(ctx, sysfs, bdf, how->flags);
	if (dev == NULL)
		return error_set(ENOMEM, "%s: out of memory", bdf);

	pthread_mutex_lock(&ctx->lock);
	if (device_find(ctx, bdf) != NULL)
		ret = error_set(EEXIST, "%s has joined %s already", bdf, ctx->path);
	else
		ret = join(dev, how);
	pthread_mutex_unlock(&ctx->lock);
	if (ret < 0) {
		device_free(dev);
		return ret;
	}
	*out = dev;
	return 0;
}

static int
detach(struct ioasid_device *dev)
{
	struct kabi_detach arg = { .argsz = sizeof(arg) };
	int ret;

	if (dev->space == NULL)
		return 0;
	ret = ioasid_sys->ioctl(dev->fd, KABI_DETACH, &arg);
	if (ret < 0)
		return error_call(CALL_DETACH, ret, dev->bdf, NULL);
	dev->space = NULL;
	return 0;
}

void
device_drop(struct ioasid_device *dev)
{
	/*
	 * close() would detach too, but not as long as a mapped BAR or a copy of the fd
	 * keeps the device open. A failure changes nothing: close all the same.
	 */
	detach(dev);
	LIST_REMOVE(dev, entry);
	ioasid_sys->close(dev->fd);
	device_free(dev);
}

void
ioasid_leave(struct ioasid_device *dev)
{
	struct ioasid_ctx *ctx;

	if (dev == NULL)
		return;
	ctx = dev->ctx;
	pthread_mutex_lock(&ctx->lock);
	device_drop(dev);
	pthread_mutex_unlock(&ctx->lock);
}

/* The all-joined rule: EPERM unless every endpoint of the group has joined. */
static int
check_all_joined(struct ioasid_device *dev, const struct ioasid_group *group)
{
	unsigned int missing = 0;
	const char *first = "";

	if (dev->flags & IOASID_IMPLICIT_GROUP)
		return 0;
	for (unsigned int i = group->nmembers; i-- > 0;) {
		if (!at_risk(dev->ctx, &group->members[i]))
			continue;
		missing++;
		first = group->members[i].bdf;
	}
	if (missing == 0)
		return 0;
	return error_set(EPERM,
			 "%s: %u device(s) of its IOMMU group %u, the first %s, have not "
			 "joined: all must join, or the device with IOASID_IMPLICIT_GROUP",
			 dev->bdf, missing, group->number, first);
}

/* Maps made before this device came must stay clear of its group's reserved regions. */
static int
check_maps(struct ioasid_device *dev, struct space *space, const struct ioasid_group *group)
{
	for (unsigned int i = 0; i < group->nreserved; i++) {
		const struct ioasid_reserved *r = &group->reserved[i];
		struct map *map;

		if (!group_reserves(r))
			continue;
		map = map_first(space, r->range.start, r->range.last);
		if (map == NULL)
			continue;
		return error_set(
			EADDRINUSE,
			"%s: the reserved region 0x%" PRIx64 "-0x%" PRIx64
			" (%s) of its IOMMU group %u collides with the map at IOVA 0x%" PRIx64
			" length 0x%" PRIx64 ": use other addresses, for DPDK by --base-virtaddr",
			dev->bdf, r->range.start, r->range.last, r->type, group->number,
			map->m.iova, map->m.length);
	}
	return 0;
}

static int
attach_kernel(struct ioasid_device *dev, struct space *space)
{
	struct kabi_attach arg = { .argsz = sizeof(arg), .pt_id = space->id };
	struct ioasid_device *other;
	char misfit[512] = "";
	int ret = ioasid_sys->ioctl(dev->fd, KABI_ATTACH, &arg);

	if (ret == -EADDRINUSE)
		range_describe_misfit(dev, space, misfit, sizeof(misfit));
	if (ret < 0)
		return error_call(CALL_ATTACH, ret, dev->bdf, misfit);
	/* The kernel moves the whole group when a device that is attached moves. */
	LIST_FOREACH(other, &dev->ctx->devices, entry)
		if (other->space != NULL && other->group->number == dev->group->number)
			other->space = space;
	dev->space = space;
	return 0;
}

static int
attach(struct ioasid_device *dev, uint32_t ioasid)
{
	struct space *space = space_find(dev->ctx, ioasid);
	struct ioasid_group *group;
	int ret;

	if (space == NULL)
		return error_set(ENOENT, "%s: no IOASID %" PRIu32 " to attach to", dev->bdf,
				 ioasid);
	ret = ioasid_group_read(dev->sysfs, dev->bdf, &group);
	if (ret < 0)
		return ret;
	ret = check_all_joined(dev, group);
	if (ret == 0)
		ret = check_maps(dev, space, group);
	if (ret == 0)
		ret = attach_kernel(dev, space);
	if (ret < 0) {
		ioasid_group_free(group);
		return ret;
	}
	ioasid_group_free(dev->group);
	dev->group = group;
	return 0;
}

int
ioasid_attach(struct ioasid_device *dev, uint32_t ioasid)
{
	int ret;

	pthread_mutex_lock(&dev->ctx->lock);
	ret = attach(dev, ioasid);
	pthread_mutex_unlock(&dev->ctx->lock);
	return ret;
}

int
ioasid_detach(struct ioasid_device *dev)
{
	int ret;

	pthread_mutex_lock(&dev->ctx->lock);
	ret = detach(dev);
	pthread_mutex_unlock(&dev->ctx->lock);
	return ret;
}

int
ioasid_device_fd(const struct ioasid_device *dev)
{
	return dev->fd;
}

uint32_t
ioasid_device_id(const struct ioasid_device *dev)
{
	return dev->devid;
}

const char *
ioasid_device_bdf(const struct ioasid_device *dev)
{
	return dev->bdf;
}

const char *
ioasid_device_sysfs(const struct ioasid_device *dev)
{
	return dev->sysfs;
}

const char *
ioasid_device_cdev(const struct ioasid_device *dev)
{
	return dev->cdev;
}

bool
ioasid_device_token_unchecked(const struct ioasid_device *dev)
{
	return dev->token_unchecked;
}

/* ATTACH replaces the group, and moves the siblings: by any thread, so lock. */

unsigned int
ioasid_device_group(const struct ioasid_device *dev)
{
	unsigned int number;

	pthread_mutex_lock(&dev->ctx->lock);
	number = dev->group->number;
	pthread_mutex_unlock(&dev->ctx->lock);
	return number;
}

uint32_t
ioasid_device_ioasid(const struct ioasid_device *dev)
{
	uint32_t ioasid;

	pthread_mutex_lock(&dev->ctx->lock);
	ioasid = dev->space != NULL ? dev->space->id : 0;
	pthread_mutex_unlock(&dev->ctx->lock);
	return ioasid;
}
