/* SPDX-License-Identifier: BSD-3-Clause */

/* What VFIO offers on a device's descriptor, as far as it is not iommufd's. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "error.h"
#include "internal.h"
#include "sys.h"

int
ioasid_vfio_info(int fd, const char *bdf, struct vfio_device_info *info)
{
	int ret = ioasid_sys->ioctl(fd, VFIO_DEVICE_GET_INFO, info);

	return ret < 0 ? error_call(CALL_INFO, ret, bdf, NULL) : 0;
}

static int
get_info(const struct ioasid_device *dev, struct vfio_device_info *info)
{
	*info = (struct vfio_device_info){ .argsz = sizeof(*info) };
	return ioasid_vfio_info(dev->fd, dev->bdf, info);
}

/* Where in the device's descriptor its configuration space is. */
static int
find_config(const struct ioasid_device *dev, uint64_t *offset)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	int ret = ioasid_sys->ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &config);

	*offset = config.offset;
	return ret < 0 ? ret : 0;
}

/* Where somebody else is about to open the device; only root may. */
static int
ask_by_sysfs(const struct ioasid_device *dev)
{
	char path[PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s/config", dev->group->directory, dev->bdf);
	fd = ioasid_sys->open(path, O_RDWR);
	if (fd < 0)
		return fd;
	ret = ioasid_virtio_access_platform(fd, 0);
	ioasid_sys->close(fd);
	return ret;
}

bool
vfio_is_past_iommu(struct ioasid_device *dev, const struct ioasid_member *m)
{
	uint64_t config;

	if (!ioasid_is_virtio(m))
		return false;
	if (dev->fd < 0)
		return ask_by_sysfs(dev) != 1;
	/* If it does not answer, it may. */
	return find_config(dev, &config) < 0 || ioasid_virtio_access_platform(dev->fd, config) != 1;
}

/* Bus mastering is the right to DMA. */
static int
set_bus_master_off(struct ioasid_device *dev)
{
	uint16_t command;
	uint64_t config;
	ssize_t n;
	int ret = find_config(dev, &config);

	if (ret < 0)
		return ret;
	n = ioasid_sys->pread(dev->fd, &command, sizeof(command), config + PCI_COMMAND);
	if (n != sizeof(command))
		return n < 0 ? (int)n : -EIO;
	command &= (uint16_t)~PCI_COMMAND_MASTER;
	n = ioasid_sys->pwrite(dev->fd, &command, sizeof(command), config + PCI_COMMAND);
	if (n != sizeof(command))
		return n < 0 ? (int)n : -EIO;
	return 0;
}

/* Whoever uses the device next finds no trigger of its predecessor's. */
static void
stop_interrupts(struct ioasid_device *dev, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct vfio_irq_set set = {
			.argsz = sizeof(set),
			.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = i,
		};

		/* Fails where there was none. */
		ioasid_sys->ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, &set);
	}
}

static int
stop(struct ioasid_device *dev, struct vfio_device_info *info)
{
	int ret = get_info(dev, info);

	if (ret == 0 && (info->flags & VFIO_DEVICE_FLAGS_PCI))
		ret = set_bus_master_off(dev);
	if (ret == 0)
		stop_interrupts(dev, info->num_irqs);
	return ret;
}

int
vfio_stop(struct ioasid_device *dev)
{
	struct vfio_device_info info;

	return stop(dev, &info);
}

int
vfio_quiesce(struct ioasid_device *dev)
{
	struct vfio_device_info info;
	int ret = stop(dev, &info);

	if (ret == 0 && (info.flags & VFIO_DEVICE_FLAGS_RESET))
		ret = ioasid_sys->ioctl(dev->fd, VFIO_DEVICE_RESET, NULL);
	return ret;
}

int
ioasid_device_on_request(struct ioasid_device *dev, int eventfd)
{
	const size_t size = sizeof(struct vfio_irq_set) + sizeof(int32_t);
	const int32_t fd = eventfd;
	struct vfio_device_info info;
	struct vfio_irq_set *set;
	int ret = get_info(dev, &info);

	if (ret < 0)
		return ret;
	/* On other buses the index is a real interrupt. */
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.num_irqs <= VFIO_PCI_REQ_IRQ_INDEX)
		return error_set(ENOTSUP, "%s: its bus has no request for its removal", dev->bdf);
	set = calloc(1, size);
	if (set == NULL)
		return error_set(ENOMEM, "%s: out of memory", dev->bdf);
	set->argsz = size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_REQ_IRQ_INDEX;
	set->count = 1;
	memcpy(set->data, &fd, sizeof(fd));
	ret = ioasid_sys->ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	return ret < 0 ? error_call(CALL_INFO, ret, dev->bdf, NULL) : 0;
}
