/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_interrupts.h>

#include <ioasid.h>

#include "log.h"
#include "removal.h"
#include "space.h"

struct watch {
	LIST_ENTRY(watch) entry;
	struct ioasid_device *dev;
	struct rte_intr_handle *handle;
	int event_fd;
	char bdf[IOASID_BDF_SIZE];
};

static LIST_HEAD(, watch) watches = LIST_HEAD_INITIALIZER(watches);
static bool stopped;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
watch_free(struct watch *watch)
{
	rte_intr_instance_free(watch->handle);
	if (watch->event_fd >= 0)
		close(watch->event_fd);
	free(watch);
}

/* By EAL's interrupt thread, which waits for nobody here. */
static void
on_event(void *arg)
{
	struct watch *watch = arg;
	struct ioasid_ctx *ctx;
	eventfd_t count;

	if (eventfd_read(watch->event_fd, &count) < 0)
		return;
	IOASID_LOG(WARNING,
		   "%s is being removed or unbound: it leaves, the other devices of its IOMMU "
		   "group go on",
		   watch->bdf);
	ctx = space_hold();
	if (ctx != NULL)
		ioasid_yield(ctx, watch->bdf);
	space_unhold();
}

static void
on_unregistered(struct rte_intr_handle *handle, void *arg)
{
	(void)handle;
	watch_free(arg);
}

static int
start(struct watch *watch)
{
	int ret;

	watch->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->event_fd < 0)
		return -errno;
	watch->handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (watch->handle == NULL)
		return -ENOMEM;
	if (rte_intr_fd_set(watch->handle, watch->event_fd) < 0 ||
	    rte_intr_type_set(watch->handle, RTE_INTR_HANDLE_EXT) < 0)
		return -EINVAL;
	ret = ioasid_device_on_request(watch->dev, watch->event_fd);
	return ret < 0 ? ret : rte_intr_callback_register(watch->handle, on_event, watch);
}

static void
stop(struct watch *watch)
{
	int ret;

	/* A device that is going away need not answer any more. */
	(void)ioasid_device_on_request(watch->dev, -1);
	do {
		ret = rte_intr_callback_unregister(watch->handle, on_event, watch);
		if (ret != -EAGAIN) {
			watch_free(watch);
			return;
		}
		/* It is being called right now, maybe by our caller: freed once that is over. */
		ret = rte_intr_callback_unregister_pending(watch->handle, on_event, watch,
							   on_unregistered);
	} while (ret == -EAGAIN);
}

static bool
is_stopped(void)
{
	bool is;

	pthread_mutex_lock(&lock);
	is = stopped;
	pthread_mutex_unlock(&lock);
	return is;
}

static bool
enter(struct watch *watch)
{
	bool may;

	pthread_mutex_lock(&lock);
	may = !stopped;
	if (may)
		LIST_INSERT_HEAD(&watches, watch, entry);
	pthread_mutex_unlock(&lock);
	return may;
}

void
removal_watch(struct ioasid_device *dev)
{
	const char *bdf = ioasid_device_bdf(dev);
	struct watch *watch;
	int ret;

	/* Where stock EAL has it open, it is its business. */
	if (ioasid_device_fd(dev) < 0 || is_stopped())
		return;
	watch = calloc(1, sizeof(*watch));
	ret = watch != NULL ? 0 : -ENOMEM;
	if (ret == 0) {
		watch->dev = dev;
		watch->event_fd = -1;
		snprintf(watch->bdf, sizeof(watch->bdf), "%s", bdf);
		ret = start(watch);
	}
	if (ret < 0) {
		IOASID_LOG(WARNING,
			   "%s: its removal cannot be followed (%s): to remove or unbind it, end "
			   "this program first",
			   bdf, strerror(-ret));
		if (watch != NULL)
			watch_free(watch);
	} else if (!enter(watch)) {
		stop(watch);
	}
}

static struct watch *
take_out(const struct ioasid_device *dev)
{
	struct watch *watch;

	pthread_mutex_lock(&lock);
	LIST_FOREACH(watch, &watches, entry)
		if (dev == NULL || watch->dev == dev)
			break;
	if (watch != NULL)
		LIST_REMOVE(watch, entry);
	pthread_mutex_unlock(&lock);
	return watch;
}

void
removal_unwatch(struct ioasid_device *dev)
{
	struct watch *watch = take_out(dev);

	if (watch != NULL)
		stop(watch);
}

static void
set_stopped(bool to)
{
	pthread_mutex_lock(&lock);
	stopped = to;
	pthread_mutex_unlock(&lock);
}

void
removal_stop(void)
{
	struct watch *watch;

	set_stopped(true);
	while ((watch = take_out(NULL)) != NULL)
		stop(watch);
}

void
removal_end(void)
{
	set_stopped(false);
}
