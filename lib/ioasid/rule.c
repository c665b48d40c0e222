/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The rule that the kernel lacks: as long as a device of a group is attached, every endpoint
 * of the group has joined, or was accepted at risk and named to the user. All that decides
 * is here: read, join the named, compare, decide, report.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "internal.h"
#include "sysfs.h"

/* ---- read */

static void
compare(const struct ioasid_group *group, struct ioasid_group_info *info)
{
	for (unsigned int i = 0; i < info->nmembers; i++) {
		const struct ioasid_device *dev = group_device(group, info->members[i].bdf);

		if (dev == NULL)
			continue;
		info->members[i].standing = IOASID_JOINED;
		info->members[i].past_iommu = dev->past_iommu;
	}
}

/* In the place of what was read before; under the context's lock. */
static int
replace(struct ioasid_group *group, struct ioasid_group_info *info)
{
	int ret = group->space != NULL ? reserved_add(group->space, info) : 0;

	if (ret < 0)
		return ret;
	if (group->space != NULL)
		reserved_remove(group->space, group->info);
	ioasid_group_info_free(group->info);
	group->info = info;
	return 0;
}

/*
 * Where VFIO's groups are used, a device that nobody uses stays in the hands of who holds
 * the group, as long as it is there and on its driver.
 */
static void
drop_unbound(struct ioasid_group *group, const struct ioasid_group_info *info)
{
	struct ioasid_device *dev, *next;
	const struct ioasid_member *m;

	for (dev = LIST_FIRST(&group->devices); dev != NULL; dev = next) {
		next = LIST_NEXT(dev, in_group);
		m = ioasid_group_member(info, dev->bdf);
		if (dev->held && (m == NULL || !ioasid_is_on_vfio(m)))
			group_drop(dev);
	}
}

int
rule_read(struct ioasid_group *group)
{
	struct ioasid_group_info *info;
	int ret = ioasid_group_info_by_number(group->directory, group->number, &info);

	if (ret < 0)
		return ret;
	if (group->ctx->fd < 0)
		drop_unbound(group, info);
	compare(group, info);
	pthread_mutex_lock(&group->ctx->lock);
	ret = replace(group, info);
	pthread_mutex_unlock(&group->ctx->lock);
	if (ret == 0)
		return 0;
	ioasid_group_info_free(info);
	return error_set(-ret, "IOMMU group %u: out of memory", group->number);
}

/* ---- join the named */

static void
report(struct ioasid_group *group, enum ioasid_news news, const char *bdf, int err)
{
	const struct ioasid_policy *policy = &group->ctx->policy;
	const struct ioasid_report r = {
		.news = news,
		.bdf = bdf,
		.err = err,
		.accepted = group->accepted,
		.group = news != IOASID_NEWS_UNKNOWN ? group->info : NULL,
	};

	if (policy->report != NULL)
		policy->report(&r, policy->arg);
}

static int
join_member(struct ioasid_group *group, const struct ioasid_member *m)
{
	const struct ioasid_policy *policy = &group->ctx->policy;
	struct ioasid_join_how how = { .fd = -1 };
	struct ioasid_device *dev;
	int ret;

	if (policy->how != NULL)
		policy->how(m->bdf, &how, policy->arg);
	ret = group_join(group, m, &how, &dev);
	if (ret < 0)
		return ret;
	group_announce(dev);
	group_set_held(dev, true);
	return 0;
}

/* One that is on its way out has no node any more, but its driver still. */
static bool
can_join(const struct ioasid_group *group, const struct ioasid_member *m)
{
	return m->standing == IOASID_AT_RISK &&
	       (group->ctx->fd >= 0 ? m->cdev[0] != '\0' : ioasid_is_on_vfio(m));
}

static bool
is_wanted(const struct ioasid_group *group, const struct ioasid_member *m)
{
	const struct ioasid_policy *policy = &group->ctx->policy;

	return can_join(group, m) && policy->named != NULL && policy->named(m, policy->arg);
}

bool
rule_may_join(const struct ioasid_group *group)
{
	for (unsigned int i = 0; i < group->info->nmembers; i++)
		if (can_join(group, &group->info->members[i]))
			return true;
	return false;
}

void
rule_join_named(struct ioasid_group *group)
{
	struct ioasid_group_info *info = group->info;
	int ret;

	for (unsigned int i = 0; i < info->nmembers; i++) {
		struct ioasid_member *m = &info->members[i];
		struct ioasid_device *dev = group_device(group, m->bdf);

		/* One that joined ahead is told of when it would have joined. */
		if (dev != NULL)
			group_announce(dev);
		if (!is_wanted(group, m))
			continue;
		ret = join_member(group, m);
		if (ret < 0) {
			report(group, IOASID_NEWS_NOT_JOINED, m->bdf, ret);
			continue;
		}
		pthread_mutex_lock(&group->ctx->lock);
		m->standing = IOASID_JOINED;
		pthread_mutex_unlock(&group->ctx->lock);
	}
}

/* ---- decide */

/*
 * The group of a bus that is not PCI holds what the administrator has put together (fslmc):
 * where VFIO's groups are used it is taken as a whole.
 */
static bool
is_put_together(const struct ioasid_group *group)
{
	if (group->ctx->fd >= 0)
		return false;
	for (unsigned int i = 0; i < group->info->nmembers; i++)
		if (strcmp(group->info->members[i].bus, "pci") == 0)
			return false;
	return true;
}

/* Without an IOMMU the device itself is the risk. */
static unsigned int
count_at_risk(const struct ioasid_group *group)
{
	if (is_put_together(group))
		return 0;
	return ioasid_group_at_risk(group->info) + ioasid_group_past_iommu(group->info) +
	       group->info->noiommu;
}

static const char *
first_at_risk(const struct ioasid_group_info *info)
{
	for (unsigned int i = 0; i < info->nmembers; i++)
		if (info->members[i].standing == IOASID_AT_RISK)
			return info->members[i].bdf;
	return "";
}

int
rule_decide(struct ioasid_group *group, const struct ioasid_device *dev, bool accepted)
{
	const struct ioasid_group_info *info = group->info;
	const unsigned int at_risk = count_at_risk(group);

	if (dev != NULL && ioasid_group_member(info, dev->bdf) == NULL)
		return error_set(ENODEV, "%s: has gone from its IOMMU group %u", dev->bdf,
				 group->number);
	if (accepted || at_risk == 0)
		return 0;
	if (info->noiommu)
		return error_set(EPERM,
				 "IOMMU group %u: there is no IOMMU behind it (VFIO's no-IOMMU "
				 "mode): it could reach all memory of this machine",
				 group->number);
	if (ioasid_group_past_iommu(info) > 0)
		return error_set(EPERM,
				 "IOMMU group %u: a virtio device without "
				 "VIRTIO_F_ACCESS_PLATFORM, whose DMA goes past the IOMMU",
				 group->number);
	return error_set(EPERM,
			 "%s: %u device(s) of its IOMMU group %u, the first %s, have not "
			 "joined: all must join, or the device with IOASID_IMPLICIT_GROUP",
			 dev != NULL ? dev->bdf : "a device", at_risk, info->number,
			 first_at_risk(info));
}

/* On whose behalf, where nobody is said: who is in use, or at least there. */
static const char *
name_one(const struct ioasid_group *group)
{
	const struct ioasid_device *dev, *any = NULL;

	LIST_FOREACH(dev, &group->devices, in_group) {
		if (!dev->held)
			return dev->bdf;
		any = dev;
	}
	if (any != NULL)
		return any->bdf;
	return group->info != NULL ? first_at_risk(group->info) : "";
}

void
rule_welcome(struct ioasid_group *group, const struct ioasid_device *dev)
{
	report(group, IOASID_NEWS_ATTACHED, dev != NULL ? dev->bdf : name_one(group), 0);
}

void
rule_refuse(struct ioasid_group *group, const struct ioasid_device *dev)
{
	report(group, IOASID_NEWS_REFUSED, dev != NULL ? dev->bdf : name_one(group), 0);
}

void
rule_forbidden(struct ioasid_group *group, const struct ioasid_device *dev)
{
	report(group, IOASID_NEWS_FORBIDDEN, dev->bdf, 0);
}

/* ---- tell */

/* "BDF BDF …" of those at risk, for free(); NULL: out of memory. */
static char *
list_at_risk(const struct ioasid_group *group)
{
	const struct ioasid_group_info *info = group->info;
	char *list = calloc(info->nmembers + 1, IOASID_BDF_SIZE + 1), *end = list;

	if (list == NULL || is_put_together(group))
		return list;
	if (info->noiommu)
		end = stpcpy(end, "all ");
	for (unsigned int i = 0; i < info->nmembers; i++)
		if (info->members[i].standing == IOASID_AT_RISK || info->members[i].past_iommu)
			end = stpcpy(stpcpy(end, info->members[i].bdf), " ");
	return list;
}

static void
set_told(struct ioasid_group *group, char *told)
{
	struct ioasid_ctx *ctx = group->ctx;
	char *old = group->told;

	if (told != NULL && told[0] == '\0') {
		free(told);
		told = NULL;
	}
	pthread_mutex_lock(&ctx->lock);
	if (old == NULL && told != NULL)
		LIST_INSERT_HEAD(&ctx->risky, group, risky);
	if (old != NULL && told == NULL)
		LIST_REMOVE(group, risky);
	group->told = told;
	pthread_mutex_unlock(&ctx->lock);
	free(old);
}

void
rule_tell(struct ioasid_group *group, const struct ioasid_device *dev)
{
	const char *bdf = dev != NULL ? dev->bdf : name_one(group);
	char *list = list_at_risk(group);
	bool news;

	/* Without memory to compare, rather twice than not at all. */
	if (list == NULL && count_at_risk(group) > 0)
		report(group, IOASID_NEWS_AT_RISK, bdf, 0);
	if (list == NULL)
		return;
	news = list[0] != '\0' && (group->told == NULL || strcmp(group->told, list) != 0);
	/* Who went and comes again is news. */
	set_told(group, list);
	if (news)
		report(group, IOASID_NEWS_AT_RISK, bdf, 0);
}

void
rule_forget(struct ioasid_group *group)
{
	set_told(group, NULL);
}

void
rule_look(struct ioasid_group *group)
{
	int ret;

	if (!group->attached)
		return;
	ret = rule_read(group);
	if (ret < 0)
		report(group, IOASID_NEWS_UNKNOWN, name_one(group), ret);
	else
		rule_tell(group, NULL);
}
