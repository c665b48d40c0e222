/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>
#include <rte_interrupts.h>

#include <ioasid.h>

#include "log.h"
#include "removal.h"

struct removal_watch {
	struct rte_intr_handle *handle;
	int device_fd;
	int event_fd;
	char bdf[IOASID_BDF_SIZE];
	void (*asked)(const char *bdf);
};

/* Where VFIO is to signal its request; -1: nowhere. */
static int
set_event(int device_fd, int32_t event_fd)
{
	const size_t size = sizeof(struct vfio_irq_set) + sizeof(event_fd);
	struct vfio_irq_set *set = calloc(1, size);
	int ret;

	if (set == NULL)
		return -ENOMEM;
	set->argsz = size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_REQ_IRQ_INDEX;
	set->count = 1;
	memcpy(set->data, &event_fd, sizeof(event_fd));
	ret = ioctl(device_fd, VFIO_DEVICE_SET_IRQS, set) < 0 ? -errno : 0;
	free(set);
	return ret;
}

static void
watch_free(struct removal_watch *watch)
{
	rte_intr_instance_free(watch->handle);
	if (watch->event_fd >= 0)
		close(watch->event_fd);
	free(watch);
}

static void
on_event(void *arg)
{
	struct removal_watch *watch = arg;
	eventfd_t count;

	if (eventfd_read(watch->event_fd, &count) == 0)
		watch->asked(watch->bdf);
}

static void
on_unregistered(struct rte_intr_handle *handle, void *arg)
{
	(void)handle;
	watch_free(arg);
}

static int
start(struct removal_watch *watch)
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
	ret = set_event(watch->device_fd, watch->event_fd);
	return ret < 0 ? ret : rte_intr_callback_register(watch->handle, on_event, watch);
}

struct removal_watch *
removal_watch(int device_fd, const char *bdf, void (*asked)(const char *bdf))
{
	struct removal_watch *watch = calloc(1, sizeof(*watch));
	int ret;

	if (watch == NULL)
		return NULL;
	watch->device_fd = device_fd;
	watch->asked = asked;
	snprintf(watch->bdf, sizeof(watch->bdf), "%s", bdf);
	ret = start(watch);
	if (ret == 0)
		return watch;
	IOASID_LOG(WARNING,
		   "%s: its removal cannot be followed (%s): to remove or unbind it, end this "
		   "program first",
		   bdf, strerror(-ret));
	watch_free(watch);
	return NULL;
}

void
removal_unwatch(struct removal_watch *watch)
{
	int ret;

	if (watch == NULL)
		return;
	/* A device that is going away need not answer any more. */
	(void)set_event(watch->device_fd, -1);
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
