/* SPDX-License-Identifier: BSD-3-Clause */

/* A device's node: opened, checked, bound to the context; ATTACH and DETACH; closed. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "error.h"
#include "internal.h"
#include "kernel_abi.h"
#include "sys.h"
#include "sysfs.h"

#define CDEV_DIR "/dev/vfio/devices"

static const char *
directory(const struct ioasid_device *dev)
{
	return dev->group->directory;
}

/* A stale node in a container's /dev could be another device by now: compare numbers. */
static bool
is_device(int fd, dev_t wanted)
{
	dev_t rdev;

	return ioasid_sys->rdev(fd, &rdev) == 0 && rdev == wanted;
}

static int
open_node(struct ioasid_device *dev, const struct ioasid_member *m)
{
	char node[sizeof(CDEV_DIR) + IOASID_CDEV_SIZE + 1];
	dev_t wanted;
	int ret;

	snprintf(node, sizeof(node), CDEV_DIR "/%s", m->cdev);
	dev->fd = ioasid_sys->open(node, O_RDWR);
	if (dev->fd < 0)
		return error_call(CALL_OPEN_CDEV, dev->fd, dev->bdf, node);
	/* Read now: as long as it is open, the number is no other device's. */
	ret = sysfs_cdev_number(directory(dev), m, &wanted);
	if (ret == 0 && !is_device(dev->fd, wanted))
		ret = error_set(EPROTO,
				"%s: %s is not device %u:%u: the node is stale, make it anew "
				"(udevadm trigger, or the container's device list)",
				dev->bdf, node, major(wanted), minor(wanted));
	if (ret < 0)
		ioasid_sys->close(dev->fd);
	return ret;
}

static int
adopt_fd(struct ioasid_device *dev, const struct ioasid_member *m, int fd)
{
	char name[256];
	dev_t wanted;
	int ret = given_adopt(fd, dev->bdf);

	if (ret == 0)
		ret = sysfs_cdev_number(directory(dev), m, &wanted);
	if (ret < 0)
		return ret;
	if (!is_device(fd, wanted))
		return error_set(EPROTO,
				 "%s: fd %d is %s and not its device node, which is " CDEV_DIR
				 "/%s (%u:%u)",
				 dev->bdf, fd, given_name(fd, name, sizeof(name)), m->cdev,
				 major(wanted), minor(wanted));
	dev->fd = fd;
	return 0;
}

static int
open_cdev(struct ioasid_device *dev, const struct ioasid_member *m, int given)
{
	dev_t wanted;
	int ret;

	if (m->cdev[0] == '\0')
		return error_set(ENOENT,
				 "%s: not bound to a VFIO driver with a device node: bind it to "
				 "vfio-pci",
				 dev->bdf);
	/* Without cdevs there is no node to open: that is the better sentence. */
	ret = sysfs_cdev_number(directory(dev), m, &wanted);
	if (ret < 0)
		return ret;
	strcpy(dev->cdev, m->cdev);
	return given >= 0 ? adopt_fd(dev, m, given) : open_node(dev, m);
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

/*
 * BIND of a physical function sets the token. Before Linux 6.17 it takes none (EINVAL), and
 * asks none of the virtual functions; but /dev/vfio/GROUP does, so it is set all the same,
 * where the driver has one (else ENOTTY).
 */
static int
bind_physical_function(struct ioasid_device *dev, const uint8_t *token, enum ioasid_call *call)
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
	*call = CALL_SET_TOKEN;
	ret = ioasid_sys->ioctl(dev->fd, KABI_FEATURE, &feature);
	if (ret < 0 && ret != -ENOTTY)
		return ret;
	dev->token_unchecked = true;
	return 0;
}

/* The kernel refuses a token where none is needed, so first comes BIND without. */
static int
bind_with_token(struct ioasid_device *dev, const uint8_t *token, bool physical,
		enum ioasid_call *call)
{
	int ret;

	if (physical)
		return bind_physical_function(dev, token, call);
	ret = bind_ioctl(dev, NULL);
	return ret == -EACCES ? bind_ioctl(dev, token) : ret;
}

static int
bind_kernel(struct ioasid_device *dev, const uint8_t *token)
{
	enum ioasid_call call = CALL_BIND;
	bool physical = false;
	char holders[256] = "";
	int ret = 0;

	if (token != NULL)
		ret = sysfs_is_physical_function(directory(dev), dev->bdf, &physical);
	if (ret < 0)
		return ret;
	ret = token != NULL ? bind_with_token(dev, token, physical, &call) : bind_ioctl(dev, NULL);
	if (ret >= 0)
		return 0;
	if (call == CALL_BIND && (ret == -EPERM || ret == -EBUSY || ret == -EINVAL))
		holder_describe(dev->group->info, holders, sizeof(holders));
	/* Not to be taken for a node that may not be opened. */
	if (call == CALL_BIND && ret == -EACCES) {
		ret = -EKEYREJECTED;
		call = token != NULL ? CALL_TOKEN : CALL_BIND;
	}
	return error_call(call, ret, dev->bdf, holders);
}

/* A device that was taken away and came back meanwhile could be in another group. */
static int
check_group(const struct ioasid_device *dev)
{
	unsigned int number;
	int ret = ioasid_group_number(directory(dev), dev->bdf, &number);

	if (ret == 0 && number != dev->group->number)
		ret = error_set(EPROTO, "%s: went from IOMMU group %u to %u meanwhile: try again",
				dev->bdf, dev->group->number, number);
	return ret;
}

int
device_open(struct ioasid_device *dev, const struct ioasid_member *m,
	    const struct ioasid_join_how *how)
{
	int ret = open_cdev(dev, m, how->fd);

	if (ret < 0)
		return ret;
	ret = bind_kernel(dev, how->vf_token);
	if (ret == 0)
		ret = check_group(dev);
	/* One that was given stays the giver's. */
	if (ret < 0 && how->fd < 0)
		ioasid_sys->close(dev->fd);
	return ret;
}

void
device_close(struct ioasid_device *dev)
{
	ioasid_sys->close(dev->fd);
}

int
device_attach(struct ioasid_device *dev, uint32_t ioas)
{
	struct kabi_attach arg = { .argsz = sizeof(arg), .pt_id = ioas };

	return ioasid_sys->ioctl(dev->fd, KABI_ATTACH, &arg);
}

int
device_detach(struct ioasid_device *dev)
{
	struct kabi_detach arg = { .argsz = sizeof(arg) };

	return ioasid_sys->ioctl(dev->fd, KABI_DETACH, &arg);
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
ioasid_device_cdev(const struct ioasid_device *dev)
{
	return dev->cdev;
}

bool
ioasid_device_token_unchecked(const struct ioasid_device *dev)
{
	return dev->token_unchecked;
}

unsigned int
ioasid_device_group(const struct ioasid_device *dev)
{
	return dev->group->number;
}

uint32_t
ioasid_device_ioasid(const struct ioasid_device *dev)
{
	uint32_t ioasid;

	/* Its group may be moved by any thread. */
	pthread_mutex_lock(&dev->ctx->lock);
	ioasid = dev->group->space != NULL ? dev->group->space->id : 0;
	pthread_mutex_unlock(&dev->ctx->lock);
	return ioasid;
}
