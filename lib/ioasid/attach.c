/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Where a group is attached. The kernel attaches the whole group with its first device, and
 * moves it as a whole; so it is the group that is attached here, by all its joined devices,
 * or, if that goes wrong, is left as it was.
 */

#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "internal.h"
#include "sysfs.h"

/* ---- one device */

static void
set_device(struct ioasid_device *dev, bool attached, struct space *space)
{
	pthread_mutex_lock(&dev->ctx->lock);
	if (dev->space != NULL)
		dev->space->ndevices--;
	if (space != NULL)
		space->ndevices++;
	dev->space = space;
	dev->attached = attached;
	pthread_mutex_unlock(&dev->ctx->lock);
}

/* The device; and where it moves, all that are attached. Without a sentence. */
static int
attach_device(struct ioasid_device *dev, struct space *space)
{
	struct ioasid_device *other;
	int ret = space != NULL ? device_attach(dev, space->id) : 0;

	if (ret < 0)
		return ret;
	LIST_FOREACH(other, &dev->group->devices, in_group)
		if (other->attached)
			set_device(other, true, space);
	set_device(dev, true, space);
	return 0;
}

static int
detach_device(struct ioasid_device *dev)
{
	int ret;

	if (!dev->attached)
		return 0;
	ret = dev->space != NULL ? device_detach(dev) : 0;
	if (ret < 0)
		return error_call(CALL_DETACH, ret, dev->bdf, NULL);
	set_device(dev, false, NULL);
	return 0;
}

static struct ioasid_device *
find_attached(const struct ioasid_group *group)
{
	struct ioasid_device *dev;

	LIST_FOREACH(dev, &group->devices, in_group)
		if (dev->attached)
			return dev;
	return NULL;
}

/* ---- the group's place */

/* A space that is kept must not be freed by another thread. NULL: there is none. */
static void
keep_space(struct ioasid_ctx *ctx, struct space *space, int n)
{
	if (space == NULL)
		return;
	pthread_mutex_lock(&ctx->lock);
	space->busy += n;
	pthread_mutex_unlock(&ctx->lock);
}

/* What is mapped must stay clear of what the group reserves; under the context's lock. */
static int
check_maps(const struct ioasid_group *group, struct space *space)
{
	const struct ioasid_group_info *info = group->info;

	for (unsigned int i = 0; i < info->nreserved; i++) {
		const struct ioasid_reserved *r = &info->reserved[i];
		const struct map *map = map_first(space, r->range.start, r->range.last);

		if (map == NULL || !sysfs_reserves(r))
			continue;
		return error_set(EADDRINUSE,
				 "the reserved region 0x%" PRIx64 "-0x%" PRIx64
				 " (%s) of IOMMU group %u collides with the map at IOVA 0x%" PRIx64
				 " length 0x%" PRIx64 ": use other addresses",
				 r->range.start, r->range.last, r->type, info->number, map->m.iova,
				 map->m.length);
	}
	return 0;
}

/* From now on nothing is mapped there that the group reserves. NULL: no space to reserve in. */
static int
reserve(struct ioasid_group *group, struct space *space)
{
	int ret;

	if (space == NULL)
		return 0;
	pthread_mutex_lock(&group->ctx->lock);
	ret = check_maps(group, space);
	if (ret == 0 && space != group->space && reserved_add(space, group->info) < 0)
		ret = error_set(ENOMEM, "IOMMU group %u: out of memory", group->number);
	pthread_mutex_unlock(&group->ctx->lock);
	return ret;
}

static void
unreserve(struct ioasid_group *group, struct space *space)
{
	if (space == NULL)
		return;
	pthread_mutex_lock(&group->ctx->lock);
	reserved_remove(space, group->info);
	pthread_mutex_unlock(&group->ctx->lock);
}

/* The group is there now, where its regions have been reserved. */
static void
set_place(struct ioasid_group *group, bool attached, struct space *space)
{
	struct space *old = group->space;

	pthread_mutex_lock(&group->ctx->lock);
	group->space = space;
	group->attached = attached;
	pthread_mutex_unlock(&group->ctx->lock);
	if (old != space)
		unreserve(group, old);
	if (attached)
		return;
	group->accepted = false;
	rule_forget(group);
}

/* With no device of the group attached, the group is not; the first failure. */
static int
detach_all(struct ioasid_group *group)
{
	struct ioasid_device *dev;
	int first = 0, ret;

	LIST_FOREACH(dev, &group->devices, in_group) {
		ret = detach_device(dev);
		first = first < 0 ? first : ret;
	}
	if (find_attached(group) == NULL)
		set_place(group, false, NULL);
	return first;
}

/* ---- ATTACH */

static int
tell_failure(struct ioasid_device *dev, struct space *space, int ret)
{
	char misfit[512] = "";

	if (ret == -EADDRINUSE && dev->group->space == NULL)
		range_describe_misfit(dev, space, misfit, sizeof(misfit));
	if (ret == -EPERM)
		rule_forbidden(dev->group, dev);
	return error_call(CALL_ATTACH, ret, dev->bdf, misfit);
}

/* All that have joined, in the place of their group. */
static int
attach_others(struct ioasid_group *group)
{
	struct ioasid_device *dev;
	int ret;

	LIST_FOREACH(dev, &group->devices, in_group) {
		ret = dev->attached ? 0 : attach_device(dev, group->space);
		if (ret < 0)
			return tell_failure(dev, group->space, ret);
	}
	return 0;
}

/* The first device brings the group there; if one is attached elsewhere, it moves all. */
static int
go_there(struct ioasid_group *group, struct ioasid_device *first, struct space *space)
{
	struct ioasid_device *mover = first;
	int ret = reserve(group, space);

	if (ret < 0)
		return ret;
	if (first == NULL || !first->attached)
		mover = find_attached(group);
	if (mover == NULL)
		mover = first;
	if (mover != NULL && !(mover->attached && mover->space == space))
		ret = attach_device(mover, space);
	if (ret < 0) {
		ret = tell_failure(mover, space, ret);
		if (space != group->space)
			unreserve(group, space);
		return ret;
	}
	set_place(group, true, space);
	return 0;
}

/* The one question of the rule: before ATTACH, and after it. */
static int
decide(struct ioasid_group *group, const struct ioasid_device *dev, bool accepted)
{
	int ret = rule_read(group);

	if (ret < 0)
		return ret;
	rule_join_named(group);
	ret = rule_decide(group, dev, accepted);
	if (ret == -EPERM)
		rule_refuse(group, dev);
	return ret;
}

/*
 * What came between, while the kernel attached: a member that is named joins and is
 * attached like the others.
 */
static int
check_again(struct ioasid_group *group, const struct ioasid_device *dev, bool accepted)
{
	int ret = decide(group, dev, accepted);

	if (ret == 0)
		ret = reserve(group, group->space);
	return ret < 0 ? ret : attach_others(group);
}

/* Back to where it was. What cannot go back is attached nowhere, which widens no reach. */
static void
go_back(struct ioasid_group *group, bool was_attached, struct space *old)
{
	if (was_attached && (group->space == old || go_there(group, NULL, old) == 0))
		return;
	detach_all(group);
	/* The kernel did not let go of it. */
	if (group->attached)
		rule_tell(group, NULL);
}

static int
attach_under_rule(struct ioasid_group *group, struct ioasid_device *first,
		  const struct ioasid_device *dev, struct space *space, bool accepted)
{
	const bool was_attached = group->attached;
	struct space *old = group->space;
	char sentence[ERROR_SIZE];
	int ret = go_there(group, first, space);

	if (ret < 0)
		return ret;
	ret = attach_others(group);
	if (ret == 0)
		ret = check_again(group, dev, accepted);
	if (ret == 0) {
		group->accepted = group->accepted || accepted;
		if (!was_attached)
			rule_welcome(group, dev);
		rule_tell(group, dev);
		return 0;
	}
	error_save(sentence);
	go_back(group, was_attached, old);
	error_restore(sentence);
	return ret;
}

static int
find_space(struct ioasid_group *group, uint32_t ioasid, struct space **space)
{
	*space = NULL;
	if (group->ctx->fd < 0)
		return 0;
	pthread_mutex_lock(&group->ctx->lock);
	*space = space_find(group->ctx, ioasid);
	if (*space != NULL)
		(*space)->busy++;
	pthread_mutex_unlock(&group->ctx->lock);
	if (*space != NULL)
		return 0;
	return error_set(ENOENT, "IOMMU group %u: no IOASID %" PRIu32 " to attach to",
			 group->number, ioasid);
}

static bool
is_accepted(const struct ioasid_group *group, const struct ioasid_device *dev)
{
	const struct ioasid_device *other;

	if (dev != NULL)
		return dev->flags & IOASID_IMPLICIT_GROUP;
	LIST_FOREACH(other, &group->devices, in_group)
		if (other->flags & IOASID_IMPLICIT_GROUP)
			return true;
	return false;
}

static struct ioasid_device *
find_first(struct ioasid_group *group, const struct ioasid_device *dev)
{
	struct ioasid_device *first;

	LIST_FOREACH(first, &group->devices, in_group)
		if (dev == NULL || first == dev)
			return first;
	return NULL;
}

int
attach_group(struct ioasid_group *group, const struct ioasid_device *dev, uint32_t ioasid)
{
	struct space *space, *old = group->space;
	int ret = find_space(group, group->home != NULL ? group->home->id : ioasid, &space);

	if (ret < 0)
		return ret;
	keep_space(group->ctx, old, 1);
	ret = decide(group, dev, is_accepted(group, dev));
	if (ret == 0)
		ret = attach_under_rule(group, find_first(group, dev), dev, space,
					is_accepted(group, dev));
	keep_space(group->ctx, old, -1);
	keep_space(group->ctx, space, -1);
	return ret;
}

void
attach_named(struct ioasid_group *group)
{
	if (!group->attached)
		return;
	if (rule_read(group) == 0)
		rule_join_named(group);
	/* What cannot be attached is in the group's page table all the same. */
	(void)attach_others(group);
	rule_tell(group, NULL);
}

/* ---- DETACH */

int
attach_detach_group(struct ioasid_group *group)
{
	return group->attached ? detach_all(group) : 0;
}

void
attach_detach_device(struct ioasid_device *dev)
{
	/* A failure changes nothing: its descriptor is closed all the same. */
	if (detach_device(dev) < 0)
		set_device(dev, false, NULL);
	if (dev->group->attached && find_attached(dev->group) == NULL)
		set_place(dev->group, false, NULL);
}

/* ---- by a device */

int
ioasid_attach(struct ioasid_device *dev, uint32_t ioasid)
{
	int ret;

	group_lock(dev->group);
	ret = attach_group(dev->group, dev, ioasid);
	group_unlock(dev->group);
	event_join_waiting(dev->ctx);
	return ret;
}

int
ioasid_detach(struct ioasid_device *dev)
{
	int ret;

	group_lock(dev->group);
	ret = attach_detach_group(dev->group);
	group_unlock(dev->group);
	return ret;
}

int
ioasid_check(struct ioasid_device *dev)
{
	struct ioasid_group *group = dev->group;
	const bool accepted = is_accepted(group, dev);
	int ret;

	group_lock(group);
	ret = decide(group, dev, accepted);
	if (ret == 0) {
		group->accepted = group->accepted || accepted;
		rule_tell(group, dev);
	}
	group_unlock(group);
	return ret;
}

void
ioasid_forbidden(struct ioasid_device *dev)
{
	group_lock(dev->group);
	rule_forbidden(dev->group, dev);
	group_unlock(dev->group);
}
