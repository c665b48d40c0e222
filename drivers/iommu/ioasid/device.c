/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>

#include "container.h"
#include "device.h"
#include "explicit_set.h"
#include "group_report.h"
#include "iova_fit.h"
#include "join.h"
#include "log.h"
#include "memory.h"
#include "removal.h"
#include "space.h"

/*
 * A cdev can be opened and bound only once, and the PCI bus sets the devices of a
 * group up one by one: a member that joined early waits here until its turn comes.
 */
struct device {
	TAILQ_ENTRY(device) entry;
	struct ioasid_device *dev;
	bool in_use;                 /* handed to DPDK; else it only joined */
	bool tentative;              /* joined by the set-up under way: leaves if that fails */
	struct removal_watch *watch; /* of one that only joined */
};

static TAILQ_HEAD(, device) devices = TAILQ_HEAD_INITIALIZER(devices);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct device *
find(const char *bdf)
{
	struct device *d;

	TAILQ_FOREACH(d, &devices, entry)
		if (strcmp(ioasid_device_bdf(d->dev), bdf) == 0)
			return d;
	return NULL;
}

static void
leave(struct device *d)
{
	TAILQ_REMOVE(&devices, d, entry);
	removal_unwatch(d->watch);
	IOASID_LOG(DEBUG, "%s leaves", ioasid_device_bdf(d->dev));
	ioasid_leave(d->dev);
	free(d);
}

/* Join a device unless it has; a tentative one leaves again if the set-up fails. */
static int
join(const char *sysfs, const char *bdf, struct device **out)
{
	struct device *d = find(bdf);
	int ret;

	if (d == NULL) {
		d = calloc(1, sizeof(*d));
		if (d == NULL)
			return -ENOMEM;
		ret = join_device(sysfs, bdf, &d->dev);
		if (ret < 0) {
			free(d);
			return ret;
		}
		d->tentative = true;
		TAILQ_INSERT_TAIL(&devices, d, entry);
		IOASID_LOG(DEBUG, "%s joined", bdf);
	}
	*out = d;
	return 0;
}

/* Those that cannot join are left to the rule, which then names them. */
static void
join_members(const char *sysfs, const struct ioasid_group *group)
{
	struct device *d;

	for (unsigned int i = 0; i < group->nmembers; i++) {
		const struct ioasid_member *m = &group->members[i];

		if (m->bridge || m->cdev[0] == '\0' || !explicit_set_has(m))
			continue;
		if (join(sysfs, m->bdf, &d) < 0)
			IOASID_LOG(WARNING, "%s", ioasid_error());
	}
}

static int
attach_members(const struct ioasid_group *group, uint32_t ioasid)
{
	struct device *d;
	int ret;

	for (unsigned int i = 0; i < group->nmembers; i++) {
		d = find(group->members[i].bdf);
		if (d == NULL || ioasid_device_ioasid(d->dev) != 0)
			continue;
		ret = ioasid_attach(d->dev, ioasid);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static bool
at_risk(const struct ioasid_member *m)
{
	return ioasid_is_at_risk(space_ctx(), m);
}

/* Attach under the all-joined rule, and tell the user how it went. */
static int
attach(struct device *d, const struct ioasid_group *group, uint32_t ioasid)
{
	const char *bdf = ioasid_device_bdf(d->dev);
	int ret = ioasid_attach(d->dev, ioasid);

	if (ret == -EPERM && group_count_at_risk(group, at_risk) > 0) {
		group_report_refusal(group, bdf, at_risk);
		return ret;
	}
	if (ret == 0)
		ret = attach_members(group, ioasid);
	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	group_report_risk(group, bdf, at_risk);
	IOASID_LOG(INFO, "%s: IOMMU group %u, %s, device id %u, IOASID %u", bdf, group->number,
		   ioasid_device_cdev(d->dev), ioasid_device_id(d->dev),
		   ioasid_device_ioasid(d->dev));
	return 0;
}

static int
setup_in_group(const char *sysfs, const char *bdf, const struct ioasid_group *group,
	       struct device **out)
{
	const uint32_t ioasid = container_of_group(group->number);
	int ret = join(sysfs, bdf, out);

	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	group_report_bridges(group);
	join_members(sysfs, group);
	/* DPDK's memory is in the default container only; others are the application's. */
	ret = ioasid == space_default() ? iova_fit_check((*out)->dev) : 0;
	if (ret == 0)
		ret = attach(*out, group, ioasid);
	if (ret == 0 && ioasid == space_default())
		ret = memory_setup();
	return ret;
}

static void
end_tentative(bool failed)
{
	struct device *d, *next;

	for (d = TAILQ_FIRST(&devices); d != NULL; d = next) {
		next = TAILQ_NEXT(d, entry);
		if (d->tentative && failed)
			leave(d);
		else
			d->tentative = false;
	}
}

/* The kernel wants a device back that only joined. The others of its group go on. */
static void
on_removal(const char *bdf)
{
	struct device *d;

	pthread_mutex_lock(&lock);
	d = find(bdf);
	if (d != NULL && !d->in_use) {
		IOASID_LOG(WARNING,
			   "%s is being removed or unbound: it leaves, the other devices of its "
			   "IOMMU group %u go on",
			   bdf, ioasid_device_group(d->dev));
		leave(d);
	}
	pthread_mutex_unlock(&lock);
}

static void
watch_members(void)
{
	struct device *d;

	TAILQ_FOREACH(d, &devices, entry)
		if (!d->in_use && d->watch == NULL)
			d->watch = removal_watch(ioasid_device_fd(d->dev),
						 ioasid_device_bdf(d->dev), on_removal);
}

static bool
is_first_in_use(const struct device *d)
{
	const unsigned int group = ioasid_device_group(d->dev);
	const struct device *other;

	TAILQ_FOREACH(other, &devices, entry)
		if (other->in_use && ioasid_device_group(other->dev) == group)
			return other == d;
	return false;
}

static void
check_group(const struct device *d, bool may_join)
{
	const char *bdf = ioasid_device_bdf(d->dev), *sysfs = ioasid_device_sysfs(d->dev);
	struct ioasid_group *group;

	/* No such device: it is on its way out. */
	if (ioasid_group_read(sysfs, bdf, &group) < 0)
		return;
	if (may_join && group_count_at_risk(group, at_risk) > 0) {
		join_members(sysfs, group);
		if (attach_members(group, ioasid_device_ioasid(d->dev)) < 0)
			IOASID_LOG(ERR, "%s", ioasid_error());
	}
	group_report_risk(group, bdf, at_risk);
	ioasid_group_free(group);
}

/*
 * A device that comes into a group in use shares its page table at once, without a
 * question from the kernel: join it if it is named, report it if not.
 */
static void
check_groups(bool may_join)
{
	struct device *d;

	TAILQ_FOREACH(d, &devices, entry)
		if (d->in_use && is_first_in_use(d))
			check_group(d, may_join);
}

static int
setup_locked(const char *sysfs, const char *bdf, int *fd)
{
	struct ioasid_group *group;
	struct device *d = find(bdf);
	int ret;

	if (d != NULL && d->in_use) {
		IOASID_LOG(ERR, "%s is set up already", bdf);
		return -EBUSY;
	}
	ret = ioasid_group_read(sysfs, bdf, &group);
	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	ret = setup_in_group(sysfs, bdf, group, &d);
	end_tentative(ret < 0);
	ioasid_group_free(group);
	if (ret == 0) {
		/* From now on the PCI bus listens. */
		removal_unwatch(d->watch);
		d->watch = NULL;
		d->in_use = true;
		*fd = ioasid_device_fd(d->dev);
	}
	check_groups(true);
	end_tentative(false);
	watch_members();
	return ret;
}

int
device_setup(const char *sysfs, const char *bdf, int *fd)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = setup_locked(sysfs, bdf, fd);
	pthread_mutex_unlock(&lock);
	return ret;
}

static bool
group_in_use(unsigned int group)
{
	struct device *d;

	TAILQ_FOREACH(d, &devices, entry)
		if (d->in_use && ioasid_device_group(d->dev) == group)
			return true;
	return false;
}

static void
leave_group(unsigned int group)
{
	struct device *d, *next;

	for (d = TAILQ_FIRST(&devices); d != NULL; d = next) {
		next = TAILQ_NEXT(d, entry);
		if (ioasid_device_group(d->dev) == group)
			leave(d);
	}
}

static int
release_locked(const char *bdf)
{
	struct device *d = find(bdf);
	unsigned int group;

	if (d == NULL || !d->in_use)
		return -ENODEV;
	group = ioasid_device_group(d->dev);
	leave(d);
	if (!group_in_use(group)) {
		leave_group(group);
		group_report_forget(group);
	}
	return 0;
}

int
device_release(const char *bdf)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = release_locked(bdf);
	pthread_mutex_unlock(&lock);
	return ret;
}

/* The kernel moves a whole group by one ATTACH, lib/ioasid keeps up with it. */
static int
move_locked(unsigned int group, uint32_t ioasid)
{
	struct device *d;
	int ret;

	TAILQ_FOREACH(d, &devices, entry) {
		if (ioasid_device_group(d->dev) != group || ioasid_device_ioasid(d->dev) == 0 ||
		    ioasid_device_ioasid(d->dev) == ioasid)
			continue;
		ret = ioasid_attach(d->dev, ioasid);
		if (ret < 0) {
			IOASID_LOG(ERR, "%s", ioasid_error());
			return ret;
		}
	}
	IOASID_LOG(DEBUG, "IOMMU group %u moved to IOASID %u", group, ioasid);
	/* Before this DPDK's memory may have been mapped for no device at all. */
	return ioasid == space_default() ? memory_setup() : 0;
}

int
device_move_group(unsigned int group, uint32_t ioasid)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = move_locked(group, ioasid);
	pthread_mutex_unlock(&lock);
	return ret;
}

static int
share_locked(const char *bdf, struct device_share *share)
{
	struct device *d = find(bdf);

	if (d == NULL || (share != NULL && !d->in_use))
		return -ENODEV;
	if (share == NULL)
		return 0;
	share->id = ioasid_device_id(d->dev);
	share->ioasid = ioasid_device_ioasid(d->dev);
	share->fd = fcntl(ioasid_device_fd(d->dev), F_DUPFD_CLOEXEC, 0);
	return share->fd < 0 ? -errno : 0;
}

int
device_share(const char *bdf, struct device_share *share)
{
	int ret;

	if (pthread_mutex_trylock(&lock) != 0)
		return -EAGAIN;
	ret = share_locked(bdf, share);
	pthread_mutex_unlock(&lock);
	return ret;
}

/* By EAL's interrupt thread. It must not join: the list of names is the main thread's. */
static void
on_device_event(const char *bdf, enum rte_dev_event_type type, void *arg)
{
	struct device *d;

	(void)arg;
	pthread_mutex_lock(&lock);
	d = find(bdf);
	if (type == RTE_DEV_EVENT_REMOVE && d != NULL && d->in_use)
		IOASID_LOG(NOTICE,
			   "%s is being removed or unbound: that waits until the application "
			   "detaches it",
			   bdf);
	check_groups(false);
	pthread_mutex_unlock(&lock);
}

void
device_follow_events(void)
{
	int ret = rte_dev_event_callback_register(NULL, on_device_event, NULL);

	if (ret < 0 && ret != -EEXIST)
		IOASID_LOG(WARNING, "device events cannot be followed: %s", strerror(-ret));
}

void
device_ignore_events(void)
{
	struct device *d;

	pthread_mutex_lock(&lock);
	TAILQ_FOREACH(d, &devices, entry) {
		removal_unwatch(d->watch);
		d->watch = NULL;
	}
	pthread_mutex_unlock(&lock);
}

bool
device_in_use(const char *bdf)
{
	struct device *d;
	bool in_use;

	pthread_mutex_lock(&lock);
	d = find(bdf);
	in_use = d != NULL && d->in_use;
	pthread_mutex_unlock(&lock);
	return in_use;
}

void
device_release_all(void)
{
	struct device *d;

	pthread_mutex_lock(&lock);
	while ((d = TAILQ_FIRST(&devices)) != NULL)
		leave(d);
	pthread_mutex_unlock(&lock);
}
