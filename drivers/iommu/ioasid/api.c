/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * rte_vfio.h, in the place of librte_eal's: the contract of each function is there.
 * Here: DPDK's conventions (-1 and rte_errno; 1 = not managed by VFIO), nothing else.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/vfio.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_vfio.h>

#include "caller.h"
#include "container.h"
#include "device.h"
#include "export.h"
#include "log.h"
#include "multiprocess.h"
#include "options.h"
#include "space.h"
#include "start.h"
#include "stock.h"
#include "user_map.h"

/* In rte_vfio.h since 24.03: defined for all, for applications built against either. */
int rte_vfio_get_device_info(const char *sysfs_base, const char *dev_addr, int *vfio_dev_fd,
			     struct vfio_device_info *device_info);

static int
fail(int err)
{
	rte_errno = err < 0 ? -err : err;
	return -1;
}

/* 0 or a handle as it is; -errno in DPDK's convention. */
static int
result(int ret)
{
	return ret < 0 ? fail(ret) : ret;
}

/* Whichever entry is reached first starts the plugin: 0, or -1 and rte_errno. */
static int
started(void)
{
	return result(start());
}

/* Open /dev/ioasid if it is not open yet: 0 or -errno, said in the log. */
static int
open_space(void)
{
	int ret = space_open();

	if (ret < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return ret;
}

/*
 * Only the primary has an address space: the kernel pins the memory of the process that
 * maps, and that of a secondary may be private to it.
 */
static int
open_space_of_primary(void)
{
	if (rte_eal_process_type() == RTE_PROC_PRIMARY)
		return result(open_space());
	IOASID_LOG(ERR, "memory is mapped by the primary process only: call "
			"rte_vfio_container_dma_map() or rte_dev_dma_map() there");
	return fail(ENOTSUP);
}

static int
get_info(const char *bdf, int fd, struct vfio_device_info *info)
{
	int ret = ioasid_vfio_info(fd, bdf, info);

	if (ret < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	return ret;
}

static int
stock_release(const struct stock *stock, const char *sysfs_base, const char *dev_addr, int fd)
{
	int ret = stock->release_device(sysfs_base, dev_addr, fd);

	device_release(dev_addr);
	return ret;
}

/* Stock EAL attaches the group with the first device: the rule comes before it, and after. */
static int
setup_by_stock(const struct stock *stock, const char *sysfs_base, const char *dev_addr,
	       int *vfio_dev_fd, struct vfio_device_info *device_info)
{
	int ret = device_admit(sysfs_base, dev_addr);

	if (ret < 0)
		return fail(ret);
	errno = 0;
	ret = stock->setup_device(sysfs_base, dev_addr, vfio_dev_fd, device_info);
	/* It returns no cause; the last one is what the kernel has against it. */
	if (ret < 0 && errno == EPERM)
		device_forbidden(dev_addr);
	if (ret != 0) {
		device_release(dev_addr);
		return ret;
	}
	ret = device_admitted(dev_addr);
	if (ret < 0) {
		stock_release(stock, sysfs_base, dev_addr, *vfio_dev_fd);
		return fail(ret);
	}
	return 0;
}

static bool
is_secondary(void)
{
	return rte_eal_process_type() == RTE_PROC_SECONDARY;
}

static int
setup(const char *sysfs, const char *bdf, int *fd)
{
	int ret;

	if (is_secondary())
		return multiprocess_setup_device(bdf, fd);
	ret = open_space();
	return ret < 0 ? ret : device_setup(sysfs, bdf, fd);
}

static int
release(const char *bdf, int fd)
{
	/* In the primary the fd is the one that was given out: known, closed by this. */
	return is_secondary() ? multiprocess_release_device(bdf, fd) : device_release(bdf);
}

EXPORT int
rte_vfio_setup_device(const char *sysfs_base, const char *dev_addr, int *vfio_dev_fd,
		      struct vfio_device_info *device_info)
{
	const struct stock *stock;
	int ret;

	if (started() < 0)
		return -1;
	stock = stock_in_charge();
	if (stock != NULL && is_secondary())
		return stock->setup_device(sysfs_base, dev_addr, vfio_dev_fd, device_info);
	if (stock != NULL)
		return setup_by_stock(stock, sysfs_base, dev_addr, vfio_dev_fd, device_info);
	ret = ioasid_is_vfio(sysfs_base, dev_addr);
	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return fail(ret);
	}
	if (ret == 0) {
		IOASID_LOG(NOTICE, "%s not managed by VFIO driver, skipping", dev_addr);
		return 1;
	}
	ret = setup(sysfs_base, dev_addr, vfio_dev_fd);
	if (ret < 0)
		return fail(ret);
	ret = get_info(dev_addr, *vfio_dev_fd, device_info);
	if (ret < 0) {
		release(dev_addr, *vfio_dev_fd);
		return fail(ret);
	}
	return 0;
}

EXPORT int
rte_vfio_release_device(const char *sysfs_base, const char *dev_addr, int fd)
{
	const struct stock *stock;
	int ret;

	if (started() < 0)
		return -1;
	stock = stock_in_charge();
	if (stock != NULL)
		return stock_release(stock, sysfs_base, dev_addr, fd);
	ret = release(dev_addr, fd);
	if (ret < 0) {
		IOASID_LOG(WARNING, "%s was not set up, nothing to release", dev_addr);
		return fail(ret);
	}
	return 0;
}

EXPORT int
rte_vfio_get_device_info(const char *sysfs_base, const char *dev_addr, int *vfio_dev_fd,
			 struct vfio_device_info *device_info)
{
	const struct stock *stock;
	int ret;

	if (started() < 0)
		return -1;
	stock = stock_in_charge();
	if (stock != NULL && stock->get_device_info != NULL)
		return stock->get_device_info(sysfs_base, dev_addr, vfio_dev_fd, device_info);
	if (*vfio_dev_fd == -1)
		return rte_vfio_setup_device(sysfs_base, dev_addr, vfio_dev_fd, device_info);
	ret = get_info(dev_addr, *vfio_dev_fd, device_info);
	return ret < 0 ? fail(ret) : 0;
}

EXPORT int
rte_vfio_enable(const char *modname)
{
	const struct stock *stock;

	if (started() < 0)
		return -1;
	stock = stock_in_charge();
	return stock != NULL ? stock->enable(modname) : 0;
}

EXPORT int
rte_vfio_is_enabled(const char *modname)
{
	const struct stock *stock;
	char path[128];

	/* A failure is told by what sets a device up: "no" would pass over the devices. */
	(void)start();
	stock = stock_in_charge();
	if (stock != NULL)
		return stock->is_enabled(modname);
	/*
	 * Also if /dev/ioasid could not be opened: "no" would make the PCI bus pass over
	 * its devices, "yes" lets rte_vfio_setup_device() say what is wrong.
	 */
	snprintf(path, sizeof(path), "/sys/module/%s", modname);
	return access(path, F_OK) == 0;
}

EXPORT int
rte_vfio_noiommu_is_enabled(void)
{
	const struct stock *stock;

	(void)start();
	stock = stock_in_charge();
	if (stock != NULL)
		return stock->noiommu_is_enabled();
	/* What is attached here has an IOMMU, whatever VFIO would allow to others. */
	return 0;
}

EXPORT int
rte_vfio_get_group_num(const char *sysfs_base, const char *dev_addr, int *iommu_group_num)
{
	unsigned int number;
	int ret;

	if (started() < 0)
		return -1;
	ret = ioasid_group_number(sysfs_base, dev_addr, &number);
	if (ret == -ENOENT || ret == -ENODEV)
		return 0;
	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return fail(ret);
	}
	*iommu_group_num = (int)number;
	return 1;
}

EXPORT int
rte_vfio_clear_group(int vfio_group_fd)
{
	const struct stock *stock;

	if (started() < 0)
		return -1;
	stock = stock_for(CALLER);
	if (stock != NULL)
		return stock->clear_group(vfio_group_fd);
	return result(container_clear_group(vfio_group_fd));
}

EXPORT int
rte_vfio_get_container_fd(void)
{
	const struct stock *stock;

	if (started() < 0)
		return -1;
	stock = stock_for(CALLER);
	if (stock != NULL)
		return stock->get_container_fd();
	return open_space_of_primary() < 0 ? -1 : result(container_default_fd());
}

/* If that cannot be told, there may be one. */
static bool
group_exists(int number)
{
	struct ioasid_group_info *info = NULL;
	int ret = -ENOENT;

	if (number >= 0)
		ret = ioasid_group_info_by_number(SYSFS_PCI, (unsigned int)number, &info);
	ioasid_group_info_free(info);
	return ret != -ENOENT;
}

/*
 * A group's descriptor is all that its devices' DMA needs, so the rule comes before it. Not
 * when stock EAL asks itself: a set-up has been through the rule, a release must succeed.
 */
static int
check_stock_group(const void *caller, int group)
{
	return caller_is_eal(caller) || !group_exists(group)
		       ? 0
		       : device_admit_group((unsigned int)group);
}

static int
stock_group_fd(const struct stock *stock, const void *caller, int group)
{
	int ret = check_stock_group(caller, group);

	return ret < 0 ? fail(ret) : stock->get_group_fd(group);
}

static int
stock_group_bind(const struct stock *stock, const void *caller, int container, int group)
{
	int ret = check_stock_group(caller, group);

	return ret < 0 ? fail(ret) : stock->container_group_bind(container, group);
}

EXPORT int
rte_vfio_get_group_fd(int iommu_group_num)
{
	const struct stock *stock;
	int fd;

	if (started() < 0)
		return -1;
	stock = stock_for(CALLER);
	if (stock != NULL)
		return stock_group_fd(stock, CALLER, iommu_group_num);
	fd = container_group_fd(iommu_group_num);
	if (fd >= 0)
		return fd;
	/* As stock EAL says that there is no such group. */
	if (!group_exists(iommu_group_num)) {
		fail(ENOENT);
		return -ENOENT;
	}
	IOASID_LOG(ERR,
		   "rte_vfio_get_group_fd(): %s wants the descriptor of IOMMU group %d, and there "
		   "is none where\n  devices are opened by themselves. For programs that need it: "
		   "--ioasid-mode container",
		   caller_name(CALLER), iommu_group_num);
	return fail(ENOTSUP);
}

EXPORT int
rte_vfio_container_create(void)
{
	const struct stock *stock;

	if (started() < 0)
		return -1;
	stock = stock_for(CALLER);
	if (stock != NULL)
		return stock->container_create();
	return open_space_of_primary() < 0 ? -1 : result(container_create());
}

EXPORT int
rte_vfio_container_destroy(int container_fd)
{
	const struct stock *stock;

	if (started() < 0)
		return -1;
	stock = stock_for_container(CALLER, container_fd);
	if (stock != NULL)
		return stock->container_destroy(container_fd);
	return result(container_destroy(container_fd));
}

EXPORT int
rte_vfio_container_group_bind(int container_fd, int iommu_group_num)
{
	const struct stock *stock;

	if (started() < 0)
		return -1;
	stock = stock_for_container(CALLER, container_fd);
	if (stock != NULL)
		return stock_group_bind(stock, CALLER, container_fd, iommu_group_num);
	return open_space_of_primary() < 0
		       ? -1
		       : result(container_group_bind(container_fd, iommu_group_num));
}

EXPORT int
rte_vfio_container_group_unbind(int container_fd, int iommu_group_num)
{
	const struct stock *stock;

	if (started() < 0)
		return -1;
	stock = stock_for_container(CALLER, container_fd);
	if (stock != NULL)
		return stock->container_group_unbind(container_fd, iommu_group_num);
	return result(container_group_unbind(container_fd, iommu_group_num));
}

EXPORT int
rte_vfio_container_dma_map(int container_fd, uint64_t vaddr, uint64_t iova, uint64_t len)
{
	const struct stock *stock;
	uint32_t ioasid;
	int ret;

	if (started() < 0)
		return -1;
	stock = stock_for_container(CALLER, container_fd);
	if (stock != NULL)
		return stock->container_dma_map(container_fd, vaddr, iova, len);
	/* Memory may be mapped before any device is there. */
	if (open_space_of_primary() < 0)
		return -1;
	ret = container_ioasid(container_fd, &ioasid);
	return result(ret < 0 ? ret : user_map(ioasid, vaddr, iova, len));
}

EXPORT int
rte_vfio_container_dma_unmap(int container_fd, uint64_t vaddr, uint64_t iova, uint64_t len)
{
	const struct stock *stock;
	uint32_t ioasid;
	int ret;

	if (started() < 0)
		return -1;
	stock = stock_for_container(CALLER, container_fd);
	if (stock != NULL)
		return stock->container_dma_unmap(container_fd, vaddr, iova, len);
	if (open_space_of_primary() < 0)
		return -1;
	ret = container_ioasid(container_fd, &ioasid);
	return result(ret < 0 ? ret : user_unmap(ioasid, iova, len));
}
