/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <libudev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_interrupts.h>

#include "device.h"
#include "events.h"
#include "latecomers.h"
#include "log.h"
#include "space.h"

/* Buses with IOMMU groups; and the nodes of VFIO, whose end comes before that of a device. */
static const char *const subsystems[] = { "pci", "vfio-dev", "platform", "fsl-mc", "cdx" };

static struct udev *udev;
static struct udev_monitor *monitor;
static struct rte_intr_handle *handle;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool stopped;

/* To both contexts: of a group that they do not know they take no notice. */
static void
look_at(const char *devices, const char *bdf)
{
	struct ioasid_ctx *ctx = space_hold();

	if (ctx != NULL)
		ioasid_device_event(ctx, devices, bdf);
	if (space_rule() != NULL)
		ioasid_device_event(space_rule(), devices, bdf);
	space_unhold();
}

/* .../BDF/vfio-dev/vfioN: VFIO waits from now on until the device is let go. */
static void
on_node(struct udev_device *node, const char *action)
{
	const char *path = udev_device_get_devpath(node);
	const char *end = path != NULL ? strstr(path, "/vfio-dev/") : NULL;
	char bdf[IOASID_BDF_SIZE] = "";
	const char *start = end;

	if (end == NULL || strcmp(action, "remove") != 0)
		return;
	while (start > path && start[-1] != '/')
		start--;
	if ((size_t)(end - start) >= sizeof(bdf))
		return;
	memcpy(bdf, start, (size_t)(end - start));
	if (device_in_use(bdf))
		IOASID_LOG(NOTICE,
			   "%s is being removed or unbound: that waits until the application "
			   "detaches it",
			   bdf);
}

static void
on_device(struct udev_device *dev)
{
	const char *subsystem = udev_device_get_subsystem(dev);
	const char *action = udev_device_get_action(dev);
	const char *name = udev_device_get_sysname(dev);
	char devices[64];

	if (subsystem == NULL || action == NULL || name == NULL)
		return;
	if (strcmp(subsystem, "vfio-dev") == 0) {
		on_node(dev, action);
		return;
	}
	snprintf(devices, sizeof(devices), "/sys/bus/%s/devices", subsystem);
	look_at(devices, name);
	if (strcmp(action, "remove") != 0)
		latecomers_look(devices, name, look_at);
}

/* By EAL's interrupt thread. */
static void
on_event(void *arg)
{
	struct udev_device *dev;

	(void)arg;
	for (;;) {
		errno = 0;
		dev = udev_monitor_receive_device(monitor);
		if (dev == NULL)
			break;
		on_device(dev);
		udev_device_unref(dev);
	}
	/* Too many at once: which, nobody knows. */
	if (errno == ENOBUFS)
		look_at(SYSFS_PCI, NULL);
}

static int
listen_to_kernel(void)
{
	udev = udev_new();
	if (udev == NULL)
		return -ENOMEM;
	monitor = udev_monitor_new_from_netlink(udev, "kernel");
	if (monitor == NULL)
		return -errno;
	for (size_t i = 0; i < RTE_DIM(subsystems); i++)
		if (udev_monitor_filter_add_match_subsystem_devtype(monitor, subsystems[i], NULL) <
		    0)
			return -ENOMEM;
	return udev_monitor_enable_receiving(monitor);
}

static int
start(void)
{
	int ret = listen_to_kernel();

	if (ret < 0)
		return ret;
	handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (handle == NULL)
		return -ENOMEM;
	if (rte_intr_fd_set(handle, udev_monitor_get_fd(monitor)) < 0 ||
	    rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT) < 0)
		return -EINVAL;
	return rte_intr_callback_register(handle, on_event, NULL);
}

static void
end(void)
{
	rte_intr_instance_free(handle);
	udev_monitor_unref(monitor);
	udev_unref(udev);
	handle = NULL;
	monitor = NULL;
	udev = NULL;
}

void
events_follow(void)
{
	int ret = 0;

	pthread_mutex_lock(&lock);
	if (handle == NULL && !stopped) {
		ret = start();
		if (ret < 0)
			end();
	}
	pthread_mutex_unlock(&lock);
	if (ret < 0)
		IOASID_LOG(WARNING,
			   "the kernel's device events cannot be followed (%s): a device that is "
			   "plugged into an IOMMU group in use will not be reported",
			   strerror(-ret));
}

void
events_stop(void)
{
	pthread_mutex_lock(&lock);
	stopped = true;
	if (handle != NULL) {
		while (rte_intr_callback_unregister(handle, on_event, NULL) == -EAGAIN)
			;
		latecomers_end();
		end();
	}
	pthread_mutex_unlock(&lock);
}
