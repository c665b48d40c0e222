/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_CONTAINER_H
#define IOASID_CONTAINER_H

/*
 * DPDK's containers are IOASIDs of the process's one /dev/ioasid. A container's handle
 * is a real fd, distinct, good for poll() and close-on-exec. That of the default one is a
 * copy of /dev/ioasid, on which VFIO's own calls (VFIO_IOMMU_MAP_DMA …) work, too. All
 * functions: said in the log when they fail. Thread-safe.
 */

#include <stdbool.h>
#include <stdint.h>

/* A new, empty container: its handle or -errno. */
int container_create(void);

/* Unbind its groups, free its IOASID, close its handle: 0; -ENOENT no such container. */
int container_destroy(int fd);

/*
 * Where the devices of an IOMMU group are attached from now on, also in the default
 * container; those in use move there at once, by one ATTACH. The result is a handle for the
 * group, the same if it is bound there already; or -errno: -ENOENT no such container or
 * group; -EBUSY the group is bound to another one; -ENODEV none of its devices can join.
 */
int container_group_bind(int fd, int group);

/*
 * Not any more: its devices are attached nowhere until they are set up, or bound, again.
 * 0; -ENOENT the group is not bound to this container.
 */
int container_group_unbind(int fd, int group);

/* The handle that container_group_bind() gave for a group; -ENOENT it is not bound. */
int container_group_fd(int group);

/*
 * As container_group_unbind(), by the group's handle, which stays open: who calls this
 * closes it. 0; -ENOENT it is no such handle.
 */
int container_clear_group(int group_fd);

/* Whether this is a container's handle of ours, or RTE_VFIO_DEFAULT_CONTAINER_FD. */
bool container_is_known(int fd);

/* The IOASID behind a handle, or behind RTE_VFIO_DEFAULT_CONTAINER_FD: 0 or -ENOENT. */
int container_ioasid(int fd, uint32_t *ioasid);

/* A handle of the default container, or -errno; whose it is depends on DPDK's version. */
int container_default_fd(void);

/* Close all handles; the IOASIDs go with /dev/ioasid. */
void container_close_all(void);

#endif /* IOASID_CONTAINER_H */
