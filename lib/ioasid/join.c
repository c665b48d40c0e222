/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A device joins for its user, or is handed over by its group, which held it; and leaves,
 * or is held again as long as others of its group are in use. It may join ahead of its user,
 * and leave after him: so that many devices can be reset at a time.
 */

#include <errno.h>
#include <string.h>

#include "error.h"
#include "internal.h"
#include "sys.h"
#include "sysfs.h"

/* What is asked of a device before anything is opened. */
static int
find_member(struct ioasid_group *group, const char *bdf, const struct ioasid_member **m)
{
	int ret = rule_read(group);

	if (ret < 0)
		return ret;
	*m = ioasid_group_member(group->info, bdf);
	if (*m == NULL)
		return error_set(ENODEV, "%s: is no more in IOMMU group %u: try again", bdf,
				 group->number);
	if (group->info->noiommu && group->ctx->fd >= 0)
		return error_set(
			ENOTSUP,
			"%s refused: there is no IOMMU behind it (VFIO's no-IOMMU mode), so it "
			"cannot have an I/O address space: switch the IOMMU on",
			bdf);
	return 0;
}

/* The policy's way, unless the caller has his own. */
static struct ioasid_join_how
how_to_join(struct ioasid_ctx *ctx, const char *bdf, const struct ioasid_join_how *how)
{
	struct ioasid_join_how plain = { .fd = -1 };

	if (how != NULL)
		return *how;
	if (ctx->policy.how != NULL)
		ctx->policy.how(bdf, &plain, ctx->policy.arg);
	return plain;
}

static int
join_new(struct ioasid_group *group, const char *bdf, const struct ioasid_join_how *how,
	 struct ioasid_device **dev)
{
	const struct ioasid_member *m;
	struct ioasid_join_how plain;
	int ret = find_member(group, bdf, &m);

	if (ret < 0)
		return ret;
	plain = how_to_join(group->ctx, bdf, how);
	return group_join(group, m, &plain, dev);
}

/* One that joined for its group's sake. */
static int
hand_over(struct ioasid_device *dev, const struct ioasid_join_how *how)
{
	if (!dev->held)
		return error_set(EEXIST, "%s has joined %s already", dev->bdf, dev->ctx->path);
	group_announce(dev);
	group_set_held(dev, false);
	if (how == NULL)
		return 0;
	dev->flags = how->flags;
	/* It has one already. */
	if (how->fd >= 0 && how->fd != dev->fd)
		ioasid_sys->close(how->fd);
	return 0;
}

static int
join_for_user(struct ioasid_group *group, const char *bdf, const struct ioasid_join_how *how,
	      struct ioasid_device **dev)
{
	int ret;

	*dev = group_device(group, bdf);
	if (*dev != NULL)
		return hand_over(*dev, how);
	ret = join_new(group, bdf, how, dev);
	if (ret == 0)
		group_announce(*dev);
	return ret;
}

/* The group of a device, with a reference. */
static int
find_group(struct ioasid_ctx *ctx, const char *devices, const char *bdf,
	   struct ioasid_group **group)
{
	unsigned int number;
	int ret;

	/* Cut to our size it could be the name of another device. */
	if (strlen(bdf) >= IOASID_BDF_SIZE)
		return error_set(ENODEV, "\"%.40s\" is not the address of a device", bdf);
	ret = ioasid_group_number(devices, bdf, &number);
	if (ret < 0)
		return ret;
	*group = group_get(ctx, devices, number);
	return *group != NULL ? 0 : -ENOMEM;
}

static int
join(struct ioasid_ctx *ctx, const char *devices, const char *bdf,
     const struct ioasid_join_how *how, struct ioasid_device **dev)
{
	struct ioasid_device *joined = NULL;
	struct ioasid_group *group;
	int ret = find_group(ctx, devices, bdf, &group);

	if (ret < 0)
		return ret;
	group_lock(group);
	ret = join_for_user(group, bdf, how, &joined);
	group_unlock(group);
	group_put(group);
	if (ret == 0)
		*dev = joined;
	return ret;
}

int
ioasid_join(struct ioasid_ctx *ctx, const char *devices, const char *bdf,
	    struct ioasid_device **dev)
{
	return join(ctx, devices, bdf, NULL, dev);
}

int
ioasid_join_with(struct ioasid_ctx *ctx, const char *devices, const char *bdf,
		 const struct ioasid_join_how *how, struct ioasid_device **dev)
{
	if (how->flags & ~IOASID_IMPLICIT_GROUP)
		return error_set(EINVAL, "%s: join with unknown flags 0x%x", bdf, how->flags);
	return join(ctx, devices, bdf, how, dev);
}

static int
join_ahead(struct ioasid_group *group, const char *bdf)
{
	struct ioasid_device *dev;
	int ret;

	if (group_device(group, bdf) != NULL)
		return 0;
	ret = join_new(group, bdf, NULL, &dev);
	if (ret == 0)
		group_set_held(dev, true);
	return ret;
}

int
ioasid_join_ahead(struct ioasid_ctx *ctx, const char *devices, const char *bdf)
{
	struct ioasid_group *group;
	int ret = find_group(ctx, devices, bdf, &group);

	if (ret < 0)
		return ret;
	group_lock(group);
	ret = join_ahead(group, bdf);
	group_unlock(group);
	group_put(group);
	return ret;
}

/* ---- LEAVE */

/* In a context without /dev/ioasid there is nothing to hold but what VFIO keeps. */
static bool
can_be_held(struct ioasid_device *dev)
{
	const struct ioasid_member *m;
	unsigned int number;

	if (dev->ctx->fd >= 0)
		/* On its way out, or out of order, it does not answer; close() resets it. */
		return vfio_quiesce(dev) == 0;
	if (rule_read(dev->group) < 0 ||
	    ioasid_group_number(dev->group->directory, dev->bdf, &number) < 0)
		return false;
	m = ioasid_group_member(dev->group->info, dev->bdf);
	return m != NULL && ioasid_is_on_vfio(m);
}

static void
leave(struct ioasid_device *dev)
{
	struct ioasid_group *group = dev->group;
	const bool used = group_used(group, dev);

	if (!used && group->opens == 0) {
		group_drop_all(group);
		return;
	}
	if (can_be_held(dev))
		group_set_held(dev, true);
	else
		group_drop(dev);
	if (used)
		rule_look(group);
	else
		attach_detach_group(group);
}

void
ioasid_leave(struct ioasid_device *dev)
{
	struct ioasid_group *group;

	if (dev == NULL)
		return;
	group = dev->group;
	group_hold(group);
	group_lock(group);
	leave(dev);
	group_unlock(group);
	group_put(group);
}

int
ioasid_stop(struct ioasid_device *dev)
{
	int ret = dev->fd >= 0 ? vfio_stop(dev) : 0;

	return ret < 0 ? error_call(CALL_INFO, ret, dev->bdf, NULL) : 0;
}

void
ioasid_set_aside(struct ioasid_device *dev)
{
	struct ioasid_group *group = dev->group;

	group_lock(group);
	group_set_held(dev, true);
	group_unlock(group);
}

/*
 * Once a group is attached nowhere its devices may leave one by one, in any order: the first
 * of them sees to that.
 */
static struct ioasid_device *
take_unused(struct ioasid_group *group, const char *bdf)
{
	struct ioasid_device *dev = group_device(group, bdf);

	if (dev == NULL || group->opens > 0 || group_used(group, NULL))
		return NULL;
	attach_detach_group(group);
	group_take_out(dev);
	return dev;
}

/* With a reference; NULL: no such device has joined. */
static struct ioasid_group *
group_of(struct ioasid_ctx *ctx, const char *bdf)
{
	struct ioasid_group *group = NULL;
	struct ioasid_device *dev;

	pthread_mutex_lock(&ctx->lock);
	dev = device_find(ctx, bdf);
	if (dev != NULL) {
		group = dev->group;
		group->refs++;
	}
	pthread_mutex_unlock(&ctx->lock);
	return group;
}

void
ioasid_leave_unused(struct ioasid_ctx *ctx, const char *bdf)
{
	struct ioasid_group *group = group_of(ctx, bdf);
	struct ioasid_device *dev;

	if (group == NULL)
		return;
	group_lock(group);
	dev = take_unused(group, bdf);
	group_unlock(group);
	/* It is reset, and others of the group meanwhile, too. */
	if (dev != NULL)
		group_end_device(dev);
	group_put(group);
}
