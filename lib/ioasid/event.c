/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the kernel tells: of a device that comes, goes, or is wanted back. By threads that
 * wait for nobody.
 */

#include <errno.h>
#include <stddef.h>

#include "error.h"
#include "internal.h"

/* Leave a mark: the group with a reference, NULL: none. */
static struct ioasid_group *
mark(struct ioasid_group *group)
{
	if (group == NULL)
		return NULL;
	group->dirty = true;
	group->refs++;
	return group;
}

static void
look_at(struct ioasid_group *group)
{
	if (group == NULL)
		return;
	group_poke(group);
	group_put(group);
}

void
ioasid_yield(struct ioasid_ctx *ctx, const char *bdf)
{
	struct ioasid_group *group = NULL;
	struct ioasid_device *dev;

	pthread_mutex_lock(&ctx->lock);
	dev = device_find(ctx, bdf);
	if (dev != NULL && dev->held) {
		dev->yields = true;
		group = mark(dev->group);
	}
	pthread_mutex_unlock(&ctx->lock);
	look_at(group);
}

/* A device that has gone belongs to no group any more; it mattered where it was at risk. */
static struct ioasid_group *
find_by_member(struct ioasid_ctx *ctx, const char *bdf)
{
	struct ioasid_device *dev = device_find(ctx, bdf);
	struct ioasid_group *group;

	if (dev != NULL)
		return dev->group;
	LIST_FOREACH(group, &ctx->risky, risky)
		if (ioasid_group_member(group->info, bdf) != NULL)
			return group;
	return NULL;
}

static void
look_at_all(struct ioasid_ctx *ctx)
{
	struct ioasid_group *group, *next;

	pthread_mutex_lock(&ctx->lock);
	group = mark(RB_MIN(group_tree, &ctx->groups));
	pthread_mutex_unlock(&ctx->lock);
	while (group != NULL) {
		pthread_mutex_lock(&ctx->lock);
		next = mark(RB_NEXT(group_tree, &ctx->groups, group));
		pthread_mutex_unlock(&ctx->lock);
		look_at(group);
		group = next;
	}
}

/* ret: 0 and the number of its group; or there is none, or no more. */
static void
look_at_group_of(struct ioasid_ctx *ctx, const char *bdf, int ret, unsigned int number)
{
	struct ioasid_group *group = NULL;

	pthread_mutex_lock(&ctx->lock);
	if (ret == 0)
		group = group_find(ctx, number);
	if (group == NULL)
		group = find_by_member(ctx, bdf);
	group = mark(group);
	pthread_mutex_unlock(&ctx->lock);
	look_at(group);
}

void
ioasid_device_event(struct ioasid_ctx *ctx, const char *devices, const char *bdf)
{
	unsigned int number = 0;
	int ret = bdf != NULL ? ioasid_group_number(devices, bdf, &number) : -EPROTO;

	/* Which group it came to cannot be told: it may be any. */
	if (ret < 0 && ret != -ENODEV && ret != -ENOENT)
		look_at_all(ctx);
	else
		look_at_group_of(ctx, bdf, ret, number);
}

/* With a reference; NULL: none waits. */
static struct ioasid_group *
take_waiting(struct ioasid_ctx *ctx)
{
	struct ioasid_group *group;

	pthread_mutex_lock(&ctx->lock);
	group = LIST_FIRST(&ctx->waiting);
	if (group != NULL) {
		LIST_REMOVE(group, waiting);
		group->waits = false;
		group->refs++;
	}
	pthread_mutex_unlock(&ctx->lock);
	return group;
}

/* Of other groups, too; but nobody is waited for: who works on a group joins its devices. */
void
event_join_waiting(struct ioasid_ctx *ctx)
{
	struct ioasid_group *group;
	char sentence[ERROR_SIZE];

	error_save(sentence);
	while ((group = take_waiting(ctx)) != NULL) {
		if (pthread_mutex_trylock(&group->lock) == 0) {
			attach_named(group);
			group_unlock(group);
		}
		group_put(group);
	}
	error_restore(sentence);
}
