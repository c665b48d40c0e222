/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The IOMMU group, one object: which devices of it have joined, who is in use and who is
 * only held, and its lifetime. It lives as long as a device of it has joined, and by that
 * its number cannot be another group's. What it decides is in rule.c, where it is attached
 * in attach.c.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "internal.h"
#include "sysfs.h"

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

static struct ioasid_group *
group_find(struct ioasid_ctx *ctx, unsigned int number)
{
	struct ioasid_group key = { .number = number };

	return RB_FIND(group_tree, &ctx->groups, &key);
}

/* With a reference; NULL: out of memory. */
static struct ioasid_group *
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

static void
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

/* Something has happened: by whoever has the lock now, or by us. */
static void
poke_group(struct ioasid_group *group)
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

bool
group_used(const struct ioasid_group *group, const struct ioasid_device *but)
{
	const struct ioasid_device *dev;

	LIST_FOREACH(dev, &group->devices, in_group)
		if (dev != but && !dev->held)
			return true;
	return false;
}

static void
set_held(struct ioasid_device *dev, bool held)
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
		if (strcmp(info->members[i].bdf, dev->bdf) == 0)
			info->members[i].standing = standing;
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
	const struct ioasid_policy *policy = &group->ctx->policy;
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
	enter(dev);
	if (policy->joined != NULL)
		policy->joined(dev, policy->arg);
	*out = dev;
	return 0;
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
group_drop(struct ioasid_device *dev)
{
	struct ioasid_group *group = dev->group;
	struct ioasid_ctx *ctx = dev->ctx;

	/*
	 * close() would detach too, but not as long as a mapped BAR or a copy of the fd
	 * keeps the device open.
	 */
	attach_detach_device(dev);
	set_held(dev, false);
	pthread_mutex_lock(&ctx->lock);
	RB_REMOVE(device_tree, &ctx->devices, dev);
	LIST_REMOVE(dev, in_group);
	ctx->ndevices--;
	set_standing(dev, IOASID_AT_RISK);
	pthread_mutex_unlock(&ctx->lock);
	if (LIST_EMPTY(&group->devices))
		end_group(group);
	if (dev->fd >= 0)
		device_close(dev);
	free(dev);
	group_put(group);
}

/* The caller has a reference of its own. */
static void
drop_all(struct ioasid_group *group)
{
	struct ioasid_device *dev;

	attach_detach_group(group);
	while ((dev = LIST_FIRST(&group->devices)) != NULL)
		group_drop(dev);
}

/* ---- JOIN */

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
		return error_set(ENOTSUP,
				 "%s: there is no IOMMU behind it (VFIO's no-IOMMU mode), so it "
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
	set_held(dev, false);
	if (how == NULL)
		return 0;
	dev->flags = how->flags;
	/* It has one already. */
	if (how->fd >= 0 && how->fd != dev->fd) {
		struct ioasid_device given = { .fd = how->fd };

		device_close(&given);
	}
	return 0;
}

static struct ioasid_device *
find_in_group(const struct ioasid_group *group, const char *bdf)
{
	struct ioasid_device *dev;

	LIST_FOREACH(dev, &group->devices, in_group)
		if (strcmp(dev->bdf, bdf) == 0)
			return dev;
	return NULL;
}

static int
join_in_group(struct ioasid_group *group, const char *bdf, const struct ioasid_join_how *how,
	      struct ioasid_device **dev)
{
	int ret;

	group_lock(group);
	*dev = find_in_group(group, bdf);
	ret = *dev != NULL ? hand_over(*dev, how) : join_new(group, bdf, how, dev);
	group_unlock(group);
	return ret;
}

static int
join(struct ioasid_ctx *ctx, const char *devices, const char *bdf,
     const struct ioasid_join_how *how, struct ioasid_device **dev)
{
	struct ioasid_device *joined = NULL;
	struct ioasid_group *group;
	unsigned int number;
	int ret;

	/* Cut to our size it could be the name of another device. */
	if (strlen(bdf) >= IOASID_BDF_SIZE)
		return error_set(ENODEV, "\"%.40s\" is not the address of a device", bdf);
	ret = ioasid_group_number(devices, bdf, &number);
	if (ret < 0)
		return ret;
	group = group_get(ctx, devices, number);
	if (group == NULL)
		return -ENOMEM;
	ret = join_in_group(group, bdf, how, &joined);
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
		drop_all(group);
		return;
	}
	if (can_be_held(dev))
		set_held(dev, true);
	else
		group_drop(dev);
	if (used)
		rule_look(group);
	else
		attach_detach_group(group);
}

/* With a reference, for as long as it is worked on. */
static void
hold_group(struct ioasid_group *group)
{
	pthread_mutex_lock(&group->ctx->lock);
	group->refs++;
	pthread_mutex_unlock(&group->ctx->lock);
}

void
ioasid_leave(struct ioasid_device *dev)
{
	struct ioasid_group *group;

	if (dev == NULL)
		return;
	group = dev->group;
	hold_group(group);
	group_lock(group);
	leave(dev);
	group_unlock(group);
	group_put(group);
}

/* ---- what the kernel tells */

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
	poke_group(group);
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

void
ioasid_device_event(struct ioasid_ctx *ctx, const char *devices, const char *bdf)
{
	struct ioasid_group *group = NULL;
	unsigned int number;
	bool known;

	if (bdf == NULL) {
		look_at_all(ctx);
		return;
	}
	known = ioasid_group_number(devices, bdf, &number) == 0;
	pthread_mutex_lock(&ctx->lock);
	if (known)
		group = group_find(ctx, number);
	if (group == NULL)
		group = find_by_member(ctx, bdf);
	group = mark(group);
	pthread_mutex_unlock(&ctx->lock);
	look_at(group);
}

/* ---- ATTACH */

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
static void
join_waiting(struct ioasid_ctx *ctx)
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

int
ioasid_attach(struct ioasid_device *dev, uint32_t ioasid)
{
	int ret;

	group_lock(dev->group);
	ret = attach_group(dev->group, dev, ioasid);
	group_unlock(dev->group);
	join_waiting(dev->ctx);
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
	int ret;

	group_lock(group);
	ret = rule_read(group);
	if (ret == 0)
		rule_join_named(group);
	if (ret == 0)
		ret = rule_decide(group, dev, dev->flags & IOASID_IMPLICIT_GROUP);
	if (ret == -EPERM)
		rule_refuse(group, dev);
	if (ret == 0) {
		group->accepted = group->accepted || (dev->flags & IOASID_IMPLICIT_GROUP);
		rule_tell(group, dev);
	}
	group_unlock(group);
	return ret;
}

/* ---- a group by itself */

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
		drop_all(group);
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

void
group_end_all(struct ioasid_ctx *ctx)
{
	struct ioasid_group *group;

	while ((group = RB_MIN(group_tree, &ctx->groups)) != NULL) {
		group->refs++;
		group->opens = 0;
		drop_all(group);
		/* Whatever handles are left are invalid from now on. */
		group->refs = 1;
		group_put(group);
	}
}
