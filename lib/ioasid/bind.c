/* SPDX-License-Identifier: BSD-3-Clause */

/* A group by itself: opened by its number, bound to an IOASID, whether or not it is used. */

#include <errno.h>
#include <stddef.h>

#include "error.h"
#include "internal.h"

static int
open_group(struct ioasid_group *group)
{
	int ret = rule_read(group);

	if (ret < 0)
		return ret;
	rule_join_named(group);
	if (LIST_EMPTY(&group->devices) && group->ctx->fd >= 0)
		return error_set(ENODEV,
				 "IOMMU group %u: none of its devices could join: one at least "
				 "must be named, and on a VFIO driver",
				 group->number);
	group->opens++;
	return 0;
}

int
ioasid_group_open(struct ioasid_ctx *ctx, const char *devices, unsigned int number,
		  struct ioasid_group **out)
{
	struct ioasid_group *group = group_get(ctx, devices, number);
	int ret;

	if (group == NULL)
		return -ENOMEM;
	group_lock(group);
	ret = open_group(group);
	group_unlock(group);
	if (ret < 0)
		group_put(group);
	else
		*out = group;
	return ret;
}

/* 0: nowhere. An IOASID that is a group's home cannot be freed. */
static int
set_home(struct ioasid_group *group, uint32_t ioasid)
{
	struct ioasid_ctx *ctx = group->ctx;
	struct space *space;

	pthread_mutex_lock(&ctx->lock);
	space = ioasid != 0 ? space_find(ctx, ioasid) : NULL;
	if (space != NULL || ioasid == 0) {
		if (space != NULL)
			space->busy++;
		if (group->home != NULL)
			group->home->busy--;
		group->home = space;
	}
	pthread_mutex_unlock(&ctx->lock);
	if (space != NULL || ioasid == 0 || ctx->fd < 0)
		return 0;
	return error_set(ENOENT, "IOMMU group %u: no IOASID %u to bind to", group->number, ioasid);
}

void
ioasid_group_close(struct ioasid_group *group)
{
	if (group == NULL)
		return;
	group_lock(group);
	group->opens--;
	/* Whoever has bound it does not hold it any more. */
	if (group->opens == 0)
		set_home(group, 0);
	if (group->opens == 0 && !group_used(group, NULL))
		group_drop_all(group);
	group_unlock(group);
	group_put(group);
}

bool
ioasid_group_is_gone(struct ioasid_group *group)
{
	bool gone;

	pthread_mutex_lock(&group->ctx->lock);
	gone = group->gone;
	pthread_mutex_unlock(&group->ctx->lock);
	return gone;
}

unsigned int
ioasid_group_get_number(const struct ioasid_group *group)
{
	return group->number;
}

bool
ioasid_group_in_use(struct ioasid_group *group)
{
	bool used;

	pthread_mutex_lock(&group->ctx->lock);
	used = group_used(group, NULL);
	pthread_mutex_unlock(&group->ctx->lock);
	return used;
}

/* Where its devices are attached when they are used; if one is, it goes there now. */
static int
bind_group(struct ioasid_group *group, uint32_t ioasid)
{
	const uint32_t before = group->home != NULL ? group->home->id : 0;
	int ret;

	ret = set_home(group, ioasid);
	if (ret == 0 && (group_used(group, NULL) || group->ctx->fd < 0))
		ret = attach_group(group, NULL, ioasid);
	if (ret < 0)
		set_home(group, before);
	return ret;
}

int
ioasid_group_bind(struct ioasid_group *group, uint32_t ioasid)
{
	int ret;

	group_lock(group);
	ret = bind_group(group, ioasid);
	group_unlock(group);
	return ret;
}

int
ioasid_group_unbind(struct ioasid_group *group)
{
	int ret;

	group_lock(group);
	ret = attach_detach_group(group);
	if (ret == 0)
		set_home(group, 0);
	group_unlock(group);
	return ret;
}
