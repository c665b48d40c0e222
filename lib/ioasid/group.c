/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The IOMMU group, one object: which devices of it have joined, who is in use and who is
 * only held, and its lifetime. It lives as long as a device of it has joined, and by that
 * its number cannot be another group's. What it decides is in rule.c, where it is attached
 * in attach.c; the ways in are join.c, attach.c and bind.c, and event.c for the kernel's.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "internal.h"

static int
device_cmp(const struct ioasid_device *a, const struct ioasid_device *b)
{
	return strcmp(a->bdf, b->bdf);
}

static int
group_cmp(const struct ioasid_group *a, const struct ioasid_group *b)
{
	return (a->number > b->number) - (a->number < b->number);
}

RB_GENERATE(device_tree, ioasid_device, entry, device_cmp)
RB_GENERATE(group_tree, ioasid_group, entry, group_cmp)

/* ---- lifetime and locks */

static void
group_free(struct ioasid_group *group)
{
	pthread_mutex_destroy(&group->lock);
	ioasid_group_info_free(group->info);
	free(group->directory);
	free(group);
}

static struct ioasid_group *
group_new(struct ioasid_ctx *ctx, const char *directory, unsigned int number)
{
	struct ioasid_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return NULL;
	group->directory = strdup(directory);
	if (group->directory == NULL) {
		free(group);
		return NULL;
	}
	group->ctx = ctx;
	group->number = number;
	pthread_mutex_init(&group->lock, NULL);
	LIST_INIT(&group->devices);
	return group;
}

struct ioasid_group *
group_find(struct ioasid_ctx *ctx, unsigned int number)
{
	struct ioasid_group key = { .number = number };

	return RB_FIND(group_tree, &ctx->groups, &key);
}

struct ioasid_group *
group_get(struct ioasid_ctx *ctx, const char *directory, unsigned int number)
{
	struct ioasid_group *fresh = group_new(ctx, directory, number), *group;

	pthread_mutex_lock(&ctx->lock);
	group = group_find(ctx, number);
	if (group == NULL && fresh != NULL) {
		group = fresh;
		fresh = NULL;
		RB_INSERT(group_tree, &ctx->groups, group);
		ctx->ngroups++;
	}
	if (group != NULL)
		group->refs++;
	pthread_mutex_unlock(&ctx->lock);
	if (fresh != NULL)
		group_free(fresh);
	if (group == NULL)
		error_set(ENOMEM, "IOMMU group %u: out of memory", number);
	return group;
}

/* Nobody finds it by its number any more; under the context's lock. */
static void
take_off(struct ioasid_group *group)
{
	if (group->gone)
		return;
	group->gone = true;
	RB_REMOVE(group_tree, &group->ctx->groups, group);
	group->ctx->ngroups--;
}

void
group_put(struct ioasid_group *group)
{
	struct ioasid_ctx *ctx = group->ctx;
	bool last;

	pthread_mutex_lock(&ctx->lock);
	last = --group->refs == 0;
	if (last)
		take_off(group);
	pthread_mutex_unlock(&ctx->lock);
	if (last)
		group_free(group);
}

void
group_hold(struct ioasid_group *group)
{
	pthread_mutex_lock(&group->ctx->lock);
	group->refs++;
	pthread_mutex_unlock(&group->ctx->lock);
}

static bool
take_dirty(struct ioasid_group *group)
{
	bool dirty;

	pthread_mutex_lock(&group->ctx->lock);
	dirty = group->dirty;
	group->dirty = false;
	pthread_mutex_unlock(&group->ctx->lock);
	return dirty;
}

static bool
is_dirty(struct ioasid_group *group)
{
	bool dirty;

	pthread_mutex_lock(&group->ctx->lock);
	dirty = group->dirty;
	pthread_mutex_unlock(&group->ctx->lock);
	return dirty;
}

/* Whoever has looked on behalf of the kernel's events may not join: those that may will. */
static void
set_waits(struct ioasid_group *group, bool waits)
{
	struct ioasid_ctx *ctx = group->ctx;

	pthread_mutex_lock(&ctx->lock);
	if (waits && !group->waits)
		LIST_INSERT_HEAD(&ctx->waiting, group, waiting);
	if (!waits && group->waits)
		LIST_REMOVE(group, waiting);
	group->waits = waits;
	pthread_mutex_unlock(&ctx->lock);
}

static void
drop_yielding(struct ioasid_group *group)
{
	struct ioasid_device *dev, *next;
	bool yields;

	for (dev = LIST_FIRST(&group->devices); dev != NULL; dev = next) {
		next = LIST_NEXT(dev, in_group);
		pthread_mutex_lock(&group->ctx->lock);
		yields = dev->held && dev->yields;
		pthread_mutex_unlock(&group->ctx->lock);
		if (yields)
			group_drop(dev);
	}
}

void
group_lock(struct ioasid_group *group)
{
	pthread_mutex_lock(&group->lock);
}

/* What happened meanwhile. The sentence stays that of the call that has the lock. */
static void
see_to(struct ioasid_group *group)
{
	char sentence[ERROR_SIZE];

	error_save(sentence);
	drop_yielding(group);
	rule_look(group);
	set_waits(group, group->attached && rule_may_join(group));
	error_restore(sentence);
}

/*
 * Events are told by threads that must not wait for the work on a group: they leave a mark,
 * which whoever unlocks the group looks for, and once more when it is unlocked.
 */
void
group_unlock(struct ioasid_group *group)
{
	do {
		while (take_dirty(group))
			see_to(group);
		pthread_mutex_unlock(&group->lock);
	} while (is_dirty(group) && pthread_mutex_trylock(&group->lock) == 0);
}

void
group_poke(struct ioasid_group *group)
{
	if (pthread_mutex_trylock(&group->lock) == 0)
		group_unlock(group);
}

/* ---- devices */

struct ioasid_device *
device_find(struct ioasid_ctx *ctx, const char *bdf)
{
	struct ioasid_device key = { .bdf = "" };

	if (strlen(bdf) >= sizeof(key.bdf))
		return NULL;
	strcpy(key.bdf, bdf);
	return RB_FIND(device_tree, &ctx->devices, &key);
}

struct ioasid_device *
group_device(const struct ioasid_group *group, const char *bdf)
{
	struct ioasid_device *dev;

	LIST_FOREACH(dev, &group->devices, in_group)
		if (strcmp(dev->bdf, bdf) == 0)
			return dev;
	return NULL;
}

bool
group_used(const struct ioasid_group *group, const struct ioasid_device *but)
{
	const struct ioasid_device *dev;

	LIST_FOREACH(dev, &group->devices, in_group)
		if (dev != but && !dev->held)
			return true;
	return false;
}

void
group_set_held(struct ioasid_device *dev, bool held)
{
	const struct ioasid_policy *policy = &dev->ctx->policy;

	if (dev->held == held)
		return;
	if (!held && policy->let_go != NULL)
		policy->let_go(dev, policy->arg);
	pthread_mutex_lock(&dev->ctx->lock);
	dev->held = held;
	dev->yields = false;
	pthread_mutex_unlock(&dev->ctx->lock);
	if (held && policy->held != NULL)
		policy->held(dev, policy->arg);
}

/* What was read stays true of who has joined; under both locks. */
static void
set_standing(const struct ioasid_device *dev, enum ioasid_standing standing)
{
	struct ioasid_group_info *info = dev->group->info;

	for (unsigned int i = 0; info != NULL && i < info->nmembers; i++)
		if (strcmp(info->members[i].bdf, dev->bdf) == 0) {
			info->members[i].standing = standing;
			info->members[i].past_iommu = standing == IOASID_JOINED && dev->past_iommu;
		}
}

static void
enter(struct ioasid_device *dev)
{
	struct ioasid_ctx *ctx = dev->ctx;

	pthread_mutex_lock(&ctx->lock);
	RB_INSERT(device_tree, &ctx->devices, dev);
	LIST_INSERT_HEAD(&dev->group->devices, dev, in_group);
	dev->group->refs++;
	ctx->ndevices++;
	set_standing(dev, IOASID_JOINED);
	pthread_mutex_unlock(&ctx->lock);
}

int
group_join(struct ioasid_group *group, const struct ioasid_member *m,
	   const struct ioasid_join_how *how, struct ioasid_device **out)
{
	struct ioasid_device *dev = calloc(1, sizeof(*dev));
	int ret = 0;

	if (dev == NULL)
		return error_set(ENOMEM, "%s: out of memory", m->bdf);
	dev->ctx = group->ctx;
	dev->group = group;
	dev->flags = how->flags;
	dev->fd = -1;
	strcpy(dev->bdf, m->bdf);
	if (group->ctx->fd >= 0)
		ret = device_open(dev, m, how);
	if (ret < 0) {
		free(dev);
		return ret;
	}
	dev->past_iommu = vfio_is_past_iommu(dev, m);
	enter(dev);
	*out = dev;
	return 0;
}

void
group_announce(struct ioasid_device *dev)
{
	const struct ioasid_policy *policy = &dev->ctx->policy;

	if (dev->announced)
		return;
	dev->announced = true;
	if (policy->joined != NULL)
		policy->joined(dev, policy->arg);
}

/*
 * With its last device goes the claim on its number, which may be another group's from now
 * on: whoever has this one open has a group that is no more.
 */
static void
end_group(struct ioasid_group *group)
{
	struct ioasid_ctx *ctx = group->ctx;

	group->accepted = false;
	rule_forget(group);
	set_waits(group, false);
	if (group->opens == 0 || ctx->fd < 0)
		return;
	pthread_mutex_lock(&ctx->lock);
	take_off(group);
	pthread_mutex_unlock(&ctx->lock);
}

void
group_take_out(struct ioasid_device *dev)
{
	struct ioasid_group *group = dev->group;
	struct ioasid_ctx *ctx = dev->ctx;

	/*
	 * close() would detach too, but not as long as a mapped BAR or a copy of the fd
	 * keeps the device open.
	 */
	attach_detach_device(dev);
	group_set_held(dev, false);
	pthread_mutex_lock(&ctx->lock);
	RB_REMOVE(device_tree, &ctx->devices, dev);
	LIST_REMOVE(dev, in_group);
	ctx->ndevices--;
	set_standing(dev, IOASID_AT_RISK);
	pthread_mutex_unlock(&ctx->lock);
	if (LIST_EMPTY(&group->devices))
		end_group(group);
}

void
group_end_device(struct ioasid_device *dev)
{
	struct ioasid_group *group = dev->group;

	if (dev->fd >= 0)
		device_close(dev);
	free(dev);
	group_put(group);
}

void
group_drop(struct ioasid_device *dev)
{
	group_take_out(dev);
	group_end_device(dev);
}

void
group_drop_all(struct ioasid_group *group)
{
	struct ioasid_device *dev;

	attach_detach_group(group);
	while ((dev = LIST_FIRST(&group->devices)) != NULL)
		group_drop(dev);
}

void
group_end_all(struct ioasid_ctx *ctx)
{
	struct ioasid_group *group;

	while ((group = RB_MIN(group_tree, &ctx->groups)) != NULL) {
		group->refs++;
		group->opens = 0;
		group_drop_all(group);
		/* Whatever handles are left are invalid from now on. */
		group->refs = 1;
		group_put(group);
	}
}
