/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "bars.h"
#include "crowd.h"
#include "device.h"
#include "events.h"
#include "iova_fit.h"
#include "log.h"
#include "memory.h"
#include "report.h"
#include "space.h"

struct device {
	TAILQ_ENTRY(device) entry;
	char bdf[IOASID_BDF_SIZE];
	struct ioasid_device *dev; /* NULL: its set-up or release is under way */
};

TAILQ_HEAD(device_list, device);
static struct device_list devices = TAILQ_HEAD_INITIALIZER(devices);
/* Released since the end began: no device of EAL's any more, they leave together. */
static struct device_list retired = TAILQ_HEAD_INITIALIZER(retired);
static bool closing;
/* Of the list; never held while something is asked of a device. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct device *
find(const char *bdf)
{
	struct device *d;

	TAILQ_FOREACH(d, &devices, entry)
		if (strcmp(d->bdf, bdf) == 0)
			return d;
	return NULL;
}

/* A place for a device that is to be set up: 0 or -errno, said in the log. */
static int
enter(const char *bdf, struct device **out)
{
	struct device *d = calloc(1, sizeof(*d)), *other;

	if (d == NULL) {
		IOASID_LOG(ERR, "%s: out of memory", bdf);
		return -ENOMEM;
	}
	strncat(d->bdf, bdf, sizeof(d->bdf) - 1);
	pthread_mutex_lock(&lock);
	other = find(bdf);
	if (other == NULL)
		TAILQ_INSERT_TAIL(&devices, d, entry);
	pthread_mutex_unlock(&lock);
	if (other == NULL) {
		*out = d;
		return 0;
	}
	free(d);
	IOASID_LOG(ERR, "%s is set up already", bdf);
	return -EBUSY;
}

static void
forget(struct device *d)
{
	pthread_mutex_lock(&lock);
	TAILQ_REMOVE(&devices, d, entry);
	pthread_mutex_unlock(&lock);
	free(d);
}

static void
set_ready(struct device *d, struct ioasid_device *dev)
{
	pthread_mutex_lock(&lock);
	d->dev = dev;
	pthread_mutex_unlock(&lock);
}

/* The handle of a device in use, which nobody else can release then; NULL: it is not. */
static struct device *
take(const char *bdf, struct ioasid_device **dev)
{
	struct device *d;

	pthread_mutex_lock(&lock);
	d = find(bdf);
	*dev = d != NULL ? d->dev : NULL;
	if (*dev != NULL)
		d->dev = NULL;
	pthread_mutex_unlock(&lock);
	return *dev != NULL ? d : NULL;
}

/* ---- set-up */

/* Attach; what does not fit is told by where DPDK's memory could be. */
static int
attach(struct ioasid_device *dev)
{
	int ret = ioasid_attach(dev, space_default());

	if (ret == -EADDRINUSE && iova_fit_explain(dev))
		return -ERANGE;
	/* What the rule says has been reported, and what the kernel forbids. */
	if (ret < 0 && ret != -EPERM)
		report_failure(REPORT_ATTACH, ret);
	return ret;
}

static void
tell_attached(const struct ioasid_device *dev)
{
	IOASID_LOG(INFO, "%s: IOMMU group %u, %s, device id %u, IOASID %u", ioasid_device_bdf(dev),
		   ioasid_device_group(dev), ioasid_device_cdev(dev), ioasid_device_id(dev),
		   ioasid_device_ioasid(dev));
}

/* DPDK's memory is in the default container only; others are the application's. */
static int
provide_memory(const struct ioasid_device *dev)
{
	const bool ours = ioasid_device_ioasid(dev) == space_default();
	int ret = ours ? iova_fit_check(ioasid_device_bdf(dev)) : 0;

	if (ret < 0)
		return ret;
	tell_attached(dev);
	return ours ? memory_setup() : 0;
}

static int
set_up(const char *sysfs, const char *bdf, struct ioasid_device **dev)
{
	int ret = ioasid_join(space_ctx(), sysfs, bdf, dev);

	if (ret < 0) {
		report_failure(REPORT_JOIN, ret);
		return ret;
	}
	ret = attach(*dev);
	if (ret == 0)
		ret = provide_memory(*dev);
	if (ret < 0)
		ioasid_leave(*dev);
	return ret;
}

int
device_setup(const char *sysfs, const char *bdf, int *fd)
{
	struct ioasid_device *dev;
	struct device *d;
	int ret = enter(bdf, &d);

	if (ret < 0)
		return ret;
	events_follow();
	ahead_join(sysfs);
	ret = set_up(sysfs, bdf, &dev);
	if (ret < 0) {
		forget(d);
		return ret;
	}
	*fd = ioasid_device_fd(dev);
	set_ready(d, dev);
	return 0;
}

/* ---- set-up by stock EAL */

/* Whether there is a group to look at: 1, 0, or -errno, said in the log. */
static int
has_group(const char *sysfs, const char *bdf)
{
	unsigned int number;
	int ret = ioasid_group_number(sysfs, bdf, &number);

	if (ret == -ENOENT || ret == -ENODEV)
		return 0;
	if (ret < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return ret < 0 ? ret : 1;
}

static int
open_rule(void)
{
	int ret = space_open_rule();

	if (ret < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return ret;
}

static int
admit(const char *sysfs, const char *bdf, struct ioasid_device **dev)
{
	int ret = ioasid_join(space_rule(), sysfs, bdf, dev);

	if (ret == 0)
		ret = ioasid_attach(*dev, 0);
	else
		*dev = NULL;
	if (ret < 0 && ret != -EPERM)
		IOASID_LOG(ERR, "%s", ioasid_error());
	if (ret < 0)
		ioasid_leave(*dev);
	return ret;
}

int
device_admit(const char *sysfs, const char *bdf)
{
	struct ioasid_device *dev;
	struct device *d;
	int ret = has_group(sysfs, bdf);

	if (ret <= 0)
		return ret;
	ret = open_rule();
	if (ret < 0)
		return ret;
	ret = enter(bdf, &d);
	if (ret < 0)
		return ret;
	events_follow();
	ret = admit(sysfs, bdf, &dev);
	if (ret < 0)
		forget(d);
	else
		set_ready(d, dev);
	return ret;
}

int
device_admitted(const char *bdf)
{
	struct ioasid_device *dev;
	struct device *d = take(bdf, &dev);
	int ret;

	/* One without a group. */
	if (d == NULL)
		return 0;
	ret = ioasid_check(dev);
	if (ret < 0 && ret != -EPERM)
		IOASID_LOG(ERR, "%s", ioasid_error());
	set_ready(d, dev);
	return ret;
}

void
device_forbidden(const char *bdf)
{
	struct ioasid_device *dev;
	struct device *d = take(bdf, &dev);

	if (d == NULL)
		return;
	ioasid_forbidden(dev);
	set_ready(d, dev);
}

/* It stays open until the end: nobody tells when the group's own descriptor is closed. */
int
device_admit_group(unsigned int number)
{
	struct ioasid_group *group;
	int ret = open_rule();

	if (ret < 0)
		return ret;
	events_follow();
	ret = ioasid_group_open(space_rule(), SYSFS_PCI, number, &group);
	if (ret == 0) {
		ret = ioasid_group_bind(group, 0);
		if (ret < 0)
			ioasid_group_close(group);
	}
	if (ret < 0 && ret != -EPERM)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return ret;
}

/* ---- release */

static void
retire(struct device *d, struct ioasid_device *dev)
{
	pthread_mutex_lock(&lock);
	d->dev = dev;
	TAILQ_REMOVE(&devices, d, entry);
	TAILQ_INSERT_TAIL(&retired, d, entry);
	pthread_mutex_unlock(&lock);
}

int
device_release(const char *bdf)
{
	struct ioasid_device *dev;
	struct device *d = take(bdf, &dev);

	if (d == NULL)
		return -ENODEV;
	IOASID_LOG(DEBUG, "%s leaves", bdf);
	/* One that does not answer is not waited with: its close() resets it. */
	if (closing && ioasid_stop(dev) == 0) {
		retire(d, dev);
		return 0;
	}
	ioasid_leave(dev);
	forget(d);
	return 0;
}

/* ---- the end */

static bool
first_of(const struct device_list *list, char bdf[IOASID_BDF_SIZE])
{
	const struct device *d;

	pthread_mutex_lock(&lock);
	d = TAILQ_FIRST(list);
	if (d != NULL)
		strcpy(bdf, d->bdf);
	pthread_mutex_unlock(&lock);
	return d != NULL;
}

void
device_set_closing(void)
{
	closing = true;
}

void
device_retire_all(void)
{
	char bdf[IOASID_BDF_SIZE];

	while (first_of(&devices, bdf) && device_release(bdf) == 0)
		continue;
}

static void
unmap_bars(void)
{
	unsigned int n = 0, count = 0;
	const struct device *d;
	int *fds;

	TAILQ_FOREACH(d, &retired, entry)
		count++;
	fds = count > 0 ? calloc(count, sizeof(*fds)) : NULL;
	if (fds == NULL)
		return;
	TAILQ_FOREACH(d, &retired, entry)
		fds[n++] = ioasid_device_fd(d->dev);
	bars_unmap(fds, n);
	free(fds);
}

static void
set_all_aside(void)
{
	struct device *d;

	while ((d = TAILQ_FIRST(&retired)) != NULL) {
		ioasid_set_aside(d->dev);
		TAILQ_REMOVE(&retired, d, entry);
		free(d);
	}
}

/* Those that joined for their groups' sake, too. What is not in the crowd goes with the context. */
static void
gather(struct ioasid_ctx *ctx, struct crowd *crowd)
{
	struct ioasid_device_info *list;
	unsigned int n;

	ioasid_list_devices(ctx, "", NULL, 0, &n);
	list = calloc(n, sizeof(*list));
	n = list != NULL ? ioasid_list_devices(ctx, "", list, n, NULL) : 0;
	for (unsigned int i = 0; i < n; i++)
		(void)crowd_add(crowd, list[i].bdf);
	free(list);
}

static void
leave_together(struct ioasid_ctx *ctx)
{
	struct crowd crowd = { 0 };

	gather(ctx, &crowd);
	crowd_leave(&crowd, SYSFS_PCI, ctx);
	crowd_clear(&crowd);
}

void
device_leave_all(void)
{
	unmap_bars();
	set_all_aside();
	if (space_ctx() != NULL)
		leave_together(space_ctx());
	closing = false;
}

/* ---- others that ask */

static int
share_locked(const struct device *d, struct device_share *share)
{
	if (d->dev == NULL)
		return -EAGAIN;
	share->id = ioasid_device_id(d->dev);
	share->ioasid = ioasid_device_ioasid(d->dev);
	share->fd = fcntl(ioasid_device_fd(d->dev), F_DUPFD_CLOEXEC, 0);
	return share->fd < 0 ? -errno : 0;
}

static int
has_joined(const char *bdf)
{
	struct ioasid_device_info info;
	struct ioasid_ctx *ctx = space_hold();
	int ret = ctx != NULL && ioasid_find_device(ctx, bdf, &info) == 0 ? 0 : -ENODEV;

	space_unhold();
	return ret;
}

int
device_share(const char *bdf, struct device_share *share)
{
	struct device *d;
	int ret;

	if (share == NULL)
		return has_joined(bdf);
	pthread_mutex_lock(&lock);
	d = find(bdf);
	ret = d != NULL ? share_locked(d, share) : -ENODEV;
	pthread_mutex_unlock(&lock);
	return ret;
}

bool
device_in_use(const char *bdf)
{
	struct device *d;
	bool in_use;

	pthread_mutex_lock(&lock);
	d = find(bdf);
	in_use = d != NULL && d->dev != NULL;
	pthread_mutex_unlock(&lock);
	return in_use;
}
