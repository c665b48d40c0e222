/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A driver that makes VFIO's group ioctls itself, as fslmc and nbl do: built as a library
 * of such a name, for container_client.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>
#include <rte_errno.h>
#include <rte_vfio.h>

#include "group_client.h"

static int
failed(const char *what)
{
	printf("%s: %s, rte_errno %d\n", what, strerror(errno), rte_errno);
	return -1;
}

static int
use_group(int container, int group, const char *bdf)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int device;

	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) < 0)
		return failed("VFIO_GROUP_GET_STATUS");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return failed("the group is not viable");
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0)
		return failed("VFIO_GROUP_SET_CONTAINER");
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return failed("VFIO_SET_IOMMU");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (device < 0)
		return failed("VFIO_GROUP_GET_DEVICE_FD");
	if (ioctl(device, VFIO_DEVICE_GET_INFO, &info) < 0)
		return failed("VFIO_DEVICE_GET_INFO");
	printf("%s by its group, %u regions\n", bdf, info.num_regions);
	close(device);
	return ioctl(group, VFIO_GROUP_UNSET_CONTAINER);
}

int
group_client(const char *sysfs, const char *bdf)
{
	int container, group, number, ret;

	if (rte_vfio_get_group_num(sysfs, bdf, &number) != 1)
		return failed("rte_vfio_get_group_num");
	container = rte_vfio_container_create();
	if (container < 0)
		return failed("rte_vfio_container_create");
	group = rte_vfio_container_group_bind(container, number);
	ret = group < 0 ? failed("rte_vfio_container_group_bind")
			: use_group(container, group, bdf);
	if (group >= 0 && rte_vfio_container_group_unbind(container, number) < 0)
		ret = failed("rte_vfio_container_group_unbind");
	if (rte_vfio_container_destroy(container) < 0)
		ret = failed("rte_vfio_container_destroy");
	return ret;
}
