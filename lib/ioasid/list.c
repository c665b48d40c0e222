/* SPDX-License-Identifier: BSD-3-Clause */

/* What there is in a context, copied for those who look. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "internal.h"

static int
compare_ioasids(const void *a, const void *b)
{
	const struct ioasid_info *one = a, *other = b;

	return (one->ioasid > other->ioasid) - (one->ioasid < other->ioasid);
}

static int
compare_devices(const void *a, const void *b)
{
	const struct ioasid_device_info *one = a, *other = b;

	return strcmp(one->bdf, other->bdf);
}

static unsigned int
count_attached(const struct ioasid_ctx *ctx, const struct space *space)
{
	const struct ioasid_device *dev;
	unsigned int n = 0;

	LIST_FOREACH(dev, &ctx->devices, entry)
		n += dev->space == space;
	return n;
}

static struct ioasid_info *
copy_ioasids(const struct ioasid_ctx *ctx, unsigned int *count)
{
	const struct space *space;
	struct ioasid_info *list;
	unsigned int n = 0;

	LIST_FOREACH(space, &ctx->spaces, entry)
		n++;
	*count = n;
	list = calloc(n + 1, sizeof(*list));
	if (list == NULL)
		return NULL;
	n = 0;
	LIST_FOREACH(space, &ctx->spaces, entry)
		list[n++] = (struct ioasid_info){
			.ioasid = space->id,
			.ndevices = count_attached(ctx, space),
			.nmaps = space->nmaps,
			.mapped = space->mapped,
		};
	return list;
}

int
ioasid_list(struct ioasid_ctx *ctx, struct ioasid_info **list, unsigned int *count)
{
	pthread_mutex_lock(&ctx->lock);
	*list = copy_ioasids(ctx, count);
	pthread_mutex_unlock(&ctx->lock);
	if (*list == NULL)
		return error_set(ENOMEM, "%s: out of memory", ctx->path);
	qsort(*list, *count, sizeof(**list), compare_ioasids);
	return 0;
}

static struct ioasid_device_info *
copy_devices(const struct ioasid_ctx *ctx, unsigned int *count)
{
	const struct ioasid_device *dev;
	struct ioasid_device_info *list, *info;
	unsigned int n = 0;

	LIST_FOREACH(dev, &ctx->devices, entry)
		n++;
	*count = n;
	list = calloc(n + 1, sizeof(*list));
	if (list == NULL)
		return NULL;
	info = list;
	LIST_FOREACH(dev, &ctx->devices, entry) {
		strcpy(info->bdf, dev->bdf);
		strcpy(info->cdev, dev->cdev);
		info->id = dev->devid;
		info->group = dev->group->number;
		info->ioasid = dev->space != NULL ? dev->space->id : 0;
		info++;
	}
	return list;
}

int
ioasid_list_devices(struct ioasid_ctx *ctx, struct ioasid_device_info **list, unsigned int *count)
{
	pthread_mutex_lock(&ctx->lock);
	*list = copy_devices(ctx, count);
	pthread_mutex_unlock(&ctx->lock);
	if (*list == NULL)
		return error_set(ENOMEM, "%s: out of memory", ctx->path);
	qsort(*list, *count, sizeof(**list), compare_devices);
	return 0;
}

static int
compare_groups(const void *a, const void *b)
{
	const struct ioasid_group *const *one = a, *const *other = b;

	return ((*one)->number > (*other)->number) - ((*one)->number < (*other)->number);
}

static bool
is_listed(struct ioasid_group *const *list, unsigned int count, unsigned int number)
{
	for (unsigned int i = 0; i < count; i++)
		if (list[i]->number == number)
			return true;
	return false;
}

/* One for each device at most; `list` has room for them. */
static int
read_groups(const struct ioasid_ctx *ctx, struct ioasid_group **list, unsigned int *count)
{
	const struct ioasid_device *dev;
	int ret;

	LIST_FOREACH(dev, &ctx->devices, entry) {
		if (is_listed(list, *count, dev->group->number))
			continue;
		ret = ioasid_group_read(dev->sysfs, dev->bdf, &list[*count]);
		if (ret == -ENOMEM)
			return ret;
		if (ret == 0)
			(*count)++;
	}
	return 0;
}

static int
list_groups(const struct ioasid_ctx *ctx, struct ioasid_group ***list, unsigned int *count)
{
	const struct ioasid_device *dev;
	unsigned int room = 0;
	int ret;

	LIST_FOREACH(dev, &ctx->devices, entry)
		room++;
	*count = 0;
	*list = calloc(room + 1, sizeof(**list));
	if (*list == NULL)
		return error_set(ENOMEM, "%s: out of memory", ctx->path);
	ret = read_groups(ctx, *list, count);
	if (ret < 0)
		ioasid_list_groups_free(*list, *count);
	return ret;
}

int
ioasid_list_groups(struct ioasid_ctx *ctx, struct ioasid_group ***list, unsigned int *count)
{
	int ret;

	pthread_mutex_lock(&ctx->lock);
	ret = list_groups(ctx, list, count);
	pthread_mutex_unlock(&ctx->lock);
	if (ret == 0)
		qsort(*list, *count, sizeof(**list), compare_groups);
	return ret;
}

void
ioasid_list_groups_free(struct ioasid_group **list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		ioasid_group_free(list[i]);
	free(list);
}
