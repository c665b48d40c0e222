/* SPDX-License-Identifier: BSD-3-Clause */

/* What there is in a context, copied for those who look. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void
set_total(unsigned int *total, unsigned int n)
{
	if (total != NULL)
		*total = n;
}

unsigned int
ioasid_list(struct ioasid_ctx *ctx, uint32_t from, struct ioasid_info *list, unsigned int room,
	    unsigned int *total)
{
	struct space *space, key = { .id = from };
	unsigned int n = 0;

	pthread_mutex_lock(&ctx->lock);
	set_total(total, ctx->nspaces);
	for (space = RB_NFIND(space_tree, &ctx->spaces, &key); space != NULL && n < room;
	     space = RB_NEXT(space_tree, &ctx->spaces, space))
		list[n++] = (struct ioasid_info){
			.ioasid = space->id,
			.ndevices = space->ndevices,
			.nmaps = space->nmaps,
			.mapped = space->mapped,
		};
	pthread_mutex_unlock(&ctx->lock);
	return n;
}

static void
describe(const struct ioasid_device *dev, struct ioasid_device_info *info)
{
	const struct space *space = dev->group->space;

	memcpy(info->bdf, dev->bdf, sizeof(info->bdf));
	memcpy(info->cdev, dev->cdev, sizeof(info->cdev));
	info->id = dev->devid;
	info->group = dev->group->number;
	info->ioasid = space != NULL ? space->id : 0;
	info->held = dev->held;
}

unsigned int
ioasid_list_devices(struct ioasid_ctx *ctx, const char *from, struct ioasid_device_info *list,
		    unsigned int room, unsigned int *total)
{
	struct ioasid_device *dev, key = { .bdf = "" };
	unsigned int n = 0;

	strncat(key.bdf, from, sizeof(key.bdf) - 1);
	pthread_mutex_lock(&ctx->lock);
	set_total(total, ctx->ndevices);
	for (dev = RB_NFIND(device_tree, &ctx->devices, &key); dev != NULL && n < room;
	     dev = RB_NEXT(device_tree, &ctx->devices, dev))
		describe(dev, &list[n++]);
	pthread_mutex_unlock(&ctx->lock);
	return n;
}

int
ioasid_find_device(struct ioasid_ctx *ctx, const char *bdf, struct ioasid_device_info *info)
{
	struct ioasid_device *dev;

	pthread_mutex_lock(&ctx->lock);
	dev = device_find(ctx, bdf);
	if (dev != NULL)
		describe(dev, info);
	pthread_mutex_unlock(&ctx->lock);
	return dev != NULL ? 0 : -ENOENT;
}

static void *
copy_array(const void *from, size_t count, size_t size)
{
	void *to = calloc(count + 1, size);

	if (to == NULL)
		return NULL;
	if (count > 0)
		memcpy(to, from, count * size);
	return to;
}

static struct ioasid_group_info *
copy_info(const struct ioasid_group_info *from)
{
	struct ioasid_group_info *info = copy_array(from, 1, sizeof(*from));

	if (info == NULL)
		return NULL;
	info->members = copy_array(from->members, from->nmembers, sizeof(*from->members));
	info->reserved = copy_array(from->reserved, from->nreserved, sizeof(*from->reserved));
	if (info->members == NULL || info->reserved == NULL) {
		ioasid_group_info_free(info);
		return NULL;
	}
	return info;
}

unsigned int
ioasid_list_groups(struct ioasid_ctx *ctx, unsigned int from, struct ioasid_group_info **list,
		   unsigned int room, unsigned int *total)
{
	struct ioasid_group *group, key = { .number = from };
	unsigned int n = 0;

	pthread_mutex_lock(&ctx->lock);
	set_total(total, ctx->ngroups);
	for (group = RB_NFIND(group_tree, &ctx->groups, &key); group != NULL && n < room;
	     group = RB_NEXT(group_tree, &ctx->groups, group))
		if (group->info != NULL)
			list[n++] = copy_info(group->info);
	pthread_mutex_unlock(&ctx->lock);
	return n;
}
