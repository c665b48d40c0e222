/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_STOCK_H
#define IOASID_STOCK_H

/*
 * EAL's own VFIO, groups and containers, for kernels without iommufd: its functions
 * are the next definitions behind ours. The group rule holds there, too.
 */

#include <stdbool.h>
#include <stdint.h>

struct vfio_device_info;

/* rte_vfio.h as librte_eal defines it. */
struct stock {
	int (*setup_device)(const char *, const char *, int *, struct vfio_device_info *);
	int (*release_device)(const char *, const char *, int);
	int (*enable)(const char *);
	int (*is_enabled)(const char *);
	int (*noiommu_is_enabled)(void);
	int (*clear_group)(int);
	int (*get_group_num)(const char *, const char *, int *);
	int (*get_container_fd)(void);
	int (*get_group_fd)(int);
	int (*container_create)(void);
	int (*container_destroy)(int);
	int (*container_group_bind)(int, int);
	int (*container_group_unbind)(int, int);
	int (*container_dma_map)(int, uint64_t, uint64_t, uint64_t);
	int (*container_dma_unmap)(int, uint64_t, uint64_t, uint64_t);
	/* NULL before DPDK 24.03 */
	int (*get_device_info)(const char *, const char *, int *, struct vfio_device_info *);
};

/*
 * The stock functions if they do the work in this process, else NULL. Decided once, by
 * --ioasid-mode and whether the kernel has iommufd. Thread-safe.
 */
const struct stock *stock_in_charge(void);

/*
 * The stock functions if they are to answer this caller (caller.h), else NULL: besides
 * the above for those who make VFIO's group ioctls themselves, and for stock EAL when it
 * calls itself. For functions that are about groups and containers. Thread-safe.
 */
const struct stock *stock_for(const void *caller);

/* The same for a function that is given a container: ours are never stock's. */
const struct stock *stock_for_container(const void *caller, int fd);

#endif /* IOASID_STOCK_H */
