/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_H
#define IOASID_H

/**
 * @file
 * I/O address spaces for user-space drivers, over Linux iommufd and VFIO cdevs.
 *
 * One open /dev/ioasid (in Linux /dev/iommu) is the unit of security: a
 * `struct ioasid_ctx`. Inside it live IOASIDs, each one I/O page table. A device
 * *joins* the context and is then *attached* to one of its IOASIDs.
 *
 * The rule that the kernel lacks and this library adds: all devices of one IOMMU
 * group share a page table, so a device is attached only when every endpoint of
 * its group has joined the same context, unless it joined with
 * IOASID_IMPLICIT_GROUP.
 *
 * Errors: every function that can fail returns 0 or -errno (never sets errno), and
 * leaves a sentence for the user in ioasid_error(). The errno values named here as
 * "kernel" are those of Documentation/userspace-api/iommufd.rst and
 * Documentation/driver-api/vfio.rst.
 *
 * Threads: calls on one context may come from any thread; the context locks itself.
 * A device handle must not be used while another thread makes it leave.
 *
 * Ownership: strings and structures passed in are copied; what is returned through
 * a pointer to pointer belongs to the caller, who gives it back by the function
 * named there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Size of a buffer for the name of a device: a BDF ("0000:01:00.0"; PCI domains may
 * have 8 digits), or what sysfs calls a member of a group that is not on PCI.
 */
#define IOASID_BDF_SIZE 32
/** Size of a buffer for the name of a VFIO device cdev ("vfio3"). */
#define IOASID_CDEV_SIZE 32
/** Size of a buffer for the name of a kernel driver. */
#define IOASID_DRIVER_SIZE 64

/** One open /dev/ioasid with its IOASIDs and joined devices. */
struct ioasid_ctx;
/** A device that has joined a context. */
struct ioasid_device;

/** An inclusive range of I/O virtual addresses, in bytes. */
struct ioasid_range {
	uint64_t start;
	uint64_t last;
};

/** A device of an IOMMU group, as sysfs describes it. */
struct ioasid_member {
	char bdf[IOASID_BDF_SIZE];
	uint16_t vendor;                 /**< PCI vendor ID, 0 if unknown */
	uint16_t device;                 /**< PCI device ID, 0 if unknown */
	uint32_t class_code;             /**< PCI class, 24 bits as in sysfs `class` */
	bool bridge;                     /**< PCI header type 1 or 2: cannot join, is exempt */
	char cdev[IOASID_CDEV_SIZE];     /**< VFIO device cdev, "" if not on a VFIO driver */
	char driver[IOASID_DRIVER_SIZE]; /**< kernel driver, "" if unbound */
};

/** A reserved range of a group, from sysfs `reserved_regions`. */
struct ioasid_reserved {
	struct ioasid_range range;
	char type[24]; /**< the kernel's word: "msi", "direct", "reserved" … */
};

/** An IOMMU group: what sysfs said when it was read. */
struct ioasid_group {
	unsigned int number;
	unsigned int nmembers;
	struct ioasid_member *members; /**< in BDF order */
	unsigned int nreserved;
	struct ioasid_reserved *reserved;
};

/** One mapping of process memory into an IOASID; addresses and length in bytes. */
struct ioasid_map {
	uint64_t iova;
	uint64_t va;
	uint64_t length;
};

/** An IOASID, as it was when it was listed. */
struct ioasid_info {
	uint32_t ioasid;
	unsigned int ndevices; /**< attached to it */
	unsigned int nmaps;
	uint64_t mapped; /**< bytes */
};

/** A joined device, as it was when it was listed. */
struct ioasid_device_info {
	char bdf[IOASID_BDF_SIZE];
	char cdev[IOASID_CDEV_SIZE];
	uint32_t id;        /**< see ioasid_device_id() */
	unsigned int group; /**< number of its IOMMU group */
	uint32_t ioasid;    /**< that it is attached to, 0: none */
};

/** Access of the device to a mapping. */
#define IOASID_READ  (1u << 0)
#define IOASID_WRITE (1u << 1)

/**
 * Flag of ioasid_join(): attach even though other endpoints of the group have not
 * joined. They can then reach all memory mapped in the IOASID.
 */
#define IOASID_IMPLICIT_GROUP (1u << 0)

/**
 * The sentence for the calling thread's last failed call: device, cause, next step.
 *
 * @return never NULL; valid until this thread's next failing call.
 */
const char *ioasid_error(void);

/**
 * Open the device of I/O address spaces.
 *
 * @param path node to open; NULL: /dev/ioasid if it exists, else /dev/iommu
 * @param ctx  the new context; ioasid_close() frees it
 * @return 0;
 *   -ENOENT, -ENODEV no such node, or nothing behind it: the kernel has no iommufd;
 *   -EACCES, -EPERM the node may not be opened;
 *   -ENOTTY the node is something else;
 *   -ENOMEM.
 */
int ioasid_open(const char *path, struct ioasid_ctx **ctx);

/**
 * The same on a descriptor that somebody else has opened, for a process that may not
 * open the node itself. Pinned memory is charged to the process that maps, and to its
 * user, whoever opened it.
 *
 * @param fd an open /dev/ioasid; the context's from a success on (ioasid_close() closes
 *   it), else still the caller's. Becomes close-on-exec. All copies are one open
 *   /dev/ioasid, one unit of security: no other process should keep one
 * @param ctx the new context; its ioasid_path() is "fd N"
 * @return 0;
 *   -EBADF not open; -EACCES not open for reading and writing;
 *   -ENOTTY it is something else;
 *   -ENOMEM.
 */
int ioasid_open_fd(int fd, struct ioasid_ctx **ctx);

/**
 * Make every joined device leave, free every IOASID with its maps, close. The
 * device handles become invalid.
 *
 * @param ctx may be NULL
 */
void ioasid_close(struct ioasid_ctx *ctx);

/** @return the context's file descriptor (close-on-exec); it stays the context's. */
int ioasid_fd(const struct ioasid_ctx *ctx);

/** @return the path that was opened, or "fd N"; valid as long as the context. */
const char *ioasid_path(const struct ioasid_ctx *ctx);

/**
 * Allocate an empty IOASID.
 *
 * @param ioasid its number in this context, never 0
 * @return 0; -ENOMEM; other kernel errors of IOMMU_IOAS_ALLOC
 */
int ioasid_alloc(struct ioasid_ctx *ctx, uint32_t *ioasid);

/**
 * Free an IOASID with all its maps.
 *
 * @return 0; -ENOENT no such IOASID; -EBUSY a device is attached to it
 */
int ioasid_free(struct ioasid_ctx *ctx, uint32_t ioasid);

/**
 * The IOVA ranges that can be mapped now: they shrink when a device is attached
 * and grow when it leaves.
 *
 * @param ranges an array in ascending order, for free()
 * @param count  its length
 * @return 0; -ENOENT no such IOASID; -ENOMEM
 */
int ioasid_iova_ranges(struct ioasid_ctx *ctx, uint32_t ioasid, struct ioasid_range **ranges,
		       unsigned int *count);

/**
 * Preset the IOVA ranges of an IOASID: only they can be mapped, and the kernel promises
 * that they stay usable; a device that reserves or cannot address a part of them is not
 * attached. Replaces what was given before.
 *
 * @param ranges copied; in any order
 * @param count  0: all IOVAs may be used again, and nothing is promised
 * @return 0;
 *   -ENOENT no such IOASID;
 *   -EINVAL a range is empty or a single byte, or two overlap;
 *   -EADDRINUSE a map lies outside of them; an attached device cannot use them (kernel);
 *   -ENOMEM
 */
int ioasid_allow_iovas(struct ioasid_ctx *ctx, uint32_t ioasid, const struct ioasid_range *ranges,
		       unsigned int count);

/**
 * Map process memory at a fixed IOVA; the pages are pinned while a device is
 * attached. VA, IOVA and length are multiples of the page size.
 *
 * @param prot IOASID_READ, IOASID_WRITE or both
 * @return 0;
 *   -ENOENT no such IOASID;
 *   -EEXIST overlaps a map (see ioasid_find_map());
 *   -EADDRINUSE touches a reserved region of the group of an attached device;
 *   -EADDRNOTAVAIL not within one of the ranges given to ioasid_allow_iovas();
 *   -EINVAL length 0, wrap-around, misaligned, no or unknown access; outside the IOVA
 *   ranges (kernel);
 *   -EOVERFLOW the memory would wrap around (kernel);
 *   -EFAULT not mapped in the process, read-only there, or device memory (kernel);
 *   -ENOMEM RLIMIT_MEMLOCK or memory cgroup (kernel)
 */
int ioasid_map(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t va, uint64_t iova, uint64_t length,
	       unsigned int prot);

/**
 * Whether the kernel can map by file (IOMMU_IOAS_MAP_FILE, Linux 6.13): looked up
 * when the context was opened.
 */
bool ioasid_has_map_file(const struct ioasid_ctx *ctx);

/**
 * Map a part of a file of hugetlbfs or shared memory (memfd) at a fixed IOVA: as
 * ioasid_map(), but the kernel takes whole pages of the file, of any size, in place of
 * looking up the process's memory 4 KiB by 4 KiB, which is many times faster. A hole
 * in the file is filled. The map stays what it is when the process unmaps or closes the
 * file. The offset is a multiple of the page size, too.
 *
 * @param va     where the process has that part of the file: not looked at, what
 *   ioasid_find_map() will say
 * @param fd     the file; not needed any more after the call
 * @param offset of the first byte in it
 * @return as ioasid_map(), and
 *   -EOPNOTSUPP the kernel cannot (see ioasid_has_map_file());
 *   -EBADF the file is not open (kernel);
 *   -EINVAL the file is of another kind, or ends before (kernel: while a device is
 *   attached; else it is ATTACH that fails)
 */
int ioasid_map_file(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t va, uint64_t iova,
		    uint64_t length, unsigned int prot, int fd, uint64_t offset);

/**
 * Unmap any number of whole maps that fill the range without a gap.
 *
 * @return 0;
 *   -ENOENT no such IOASID, or a part of the range is not mapped;
 *   -EINVAL length 0, wrap-around; or the range cuts a map, whose bounds the sentence
 *   names: nothing was unmapped
 */
int ioasid_unmap(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t iova, uint64_t length);

/**
 * The first map that touches an IOVA range.
 *
 * @param map filled in on success
 * @return 0; -ENOENT none, or no such IOASID; -EINVAL length 0 or wrap-around.
 *   Sets no sentence: "none" is an answer.
 */
int ioasid_find_map(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t iova, uint64_t length,
		    struct ioasid_map *map);

/**
 * Choose the one IOASID of the context that VFIO's own calls for containers
 * (VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA, …), made on ioasid_fd() or a copy of it, are
 * about. The kernel has one such choice for an open file, not for a descriptor. Maps that
 * are made so are the caller's: unknown to this library, they are unmapped the same way.
 *
 * @return 0; -ENOENT no such IOASID; other kernel errors of IOMMU_VFIO_IOAS
 */
int ioasid_set_compat(struct ioasid_ctx *ctx, uint32_t ioasid);

/** @return bytes mapped in all IOASIDs of the context. */
uint64_t ioasid_mapped_bytes(struct ioasid_ctx *ctx);

/*
 * Lists are copies: for those who look from another thread while things change.
 */

/**
 * The IOASIDs of the context.
 *
 * @param list  in the order of their numbers, for free()
 * @param count its length
 * @return 0; -ENOMEM
 */
int ioasid_list(struct ioasid_ctx *ctx, struct ioasid_info **list, unsigned int *count);

/**
 * Some of the maps of an IOASID, in the order of their IOVAs.
 *
 * @param first how many to pass over, which takes time in proportion
 * @param maps  an array to be filled
 * @param count its length; then how many were filled in, 0 past the last map
 * @return 0; -ENOENT no such IOASID. Sets no sentence: "gone" is an answer.
 */
int ioasid_list_maps(struct ioasid_ctx *ctx, uint32_t ioasid, unsigned int first,
		     struct ioasid_map *maps, unsigned int *count);

/**
 * The devices that have joined.
 *
 * @param list  in the order of their BDFs, for free()
 * @param count its length
 * @return 0; -ENOMEM
 */
int
ioasid_list_devices(struct ioasid_ctx *ctx, struct ioasid_device_info **list, unsigned int *count);

/**
 * The IOMMU groups of the devices that have joined, read from sysfs anew. Those that
 * sysfs has no more, since their devices are going away, are left out.
 *
 * @param list  in the order of their numbers, for ioasid_list_groups_free()
 * @param count its length
 * @return 0; -ENOMEM
 */
int ioasid_list_groups(struct ioasid_ctx *ctx, struct ioasid_group ***list, unsigned int *count);

void ioasid_list_groups_free(struct ioasid_group **list, unsigned int count);

/**
 * Read the IOMMU group of a device.
 *
 * @param sysfs directory of devices, "/sys/bus/pci/devices"
 * @param bdf   the device
 * @param group the result, for ioasid_group_free()
 * @return 0; -ENODEV no such device; -ENOENT the device has no IOMMU group;
 *   -EPROTO sysfs holds something that cannot be understood; -ENOMEM
 */
int ioasid_group_read(const char *sysfs, const char *bdf, struct ioasid_group **group);

/** @param group may be NULL */
void ioasid_group_free(struct ioasid_group *group);

/**
 * The number of a device's IOMMU group, without its members: one readlink.
 *
 * @return 0 and the errors of ioasid_group_read()
 */
int ioasid_group_number(const char *sysfs, const char *bdf, unsigned int *number);

/** @return whether the device is bound to a VFIO driver with a device cdev. */
bool ioasid_is_vfio(const char *sysfs, const char *bdf);

/**
 * The other processes that have a node of the device's IOMMU group open, as far as this
 * user may see: "process 12 (dpdk-testpmd) has /dev/vfio/devices/vfio0 open, …".
 *
 * @param buf "" if there are none
 */
void ioasid_group_users(const char *sysfs, const char *bdf, char *buf, size_t size);

/**
 * Whether a member of a group stands in the way of ATTACH: an endpoint that has
 * not joined this context. Bridges never do.
 */
bool ioasid_is_at_risk(struct ioasid_ctx *ctx, const struct ioasid_member *member);

/**
 * JOIN: open the device's cdev and bind it to the context. The kernel then allows
 * no other owner for any device of its group.
 *
 * @param sysfs directory of devices, "/sys/bus/pci/devices"
 * @param bdf   the device
 * @param flags 0 or IOASID_IMPLICIT_GROUP
 * @param dev   the joined device; ioasid_leave() ends it
 * @return 0;
 *   -EEXIST has joined this context already;
 *   -ENODEV no such device; -ENOENT not bound to a VFIO driver, no IOMMU group, or
 *   a kernel without device cdevs;
 *   -EACCES its cdev may not be opened, or it wants a VF token; -EINVAL unknown flag;
 *   -EPROTO the node under /dev/vfio/devices is another device's;
 *   kernel errors of VFIO_DEVICE_BIND_IOMMUFD:
 *   -EBUSY the group is open by /dev/vfio/GROUP, or not on its default domain;
 *   -EPERM interrupts are not isolated, or a kernel driver or another process owns the
 *   group; -EINVAL bound by somebody else, or the platform does not allow it
 */
int ioasid_join(struct ioasid_ctx *ctx, const char *sysfs, const char *bdf, unsigned int flags,
		struct ioasid_device **dev);

/** Size of a VF token, a UUID in binary form. */
#define IOASID_TOKEN_SIZE 16

/** How a device joins: for ioasid_join_with(). */
struct ioasid_join_how {
	unsigned int flags; /**< 0 or IOASID_IMPLICIT_GROUP */
	/**
	 * Its cdev, opened by somebody else; -1: open it. The device's from a success on
	 * (ioasid_leave() closes it), else still the caller's. Becomes close-on-exec. The
	 * device stays bound, and its group taken, as long as anybody keeps a copy.
	 */
	int fd;
	/**
	 * IOASID_TOKEN_SIZE bytes, NULL: none. The secret that the users of an SR-IOV
	 * physical function and of its virtual functions share when both are on vfio-pci:
	 * set by whoever joins the PF, asked of whoever joins a VF. Other devices ignore it.
	 */
	const uint8_t *vf_token;
};

/**
 * JOIN as ioasid_join(), which is this with flags, fd -1 and no token.
 *
 * @return 0; as ioasid_join(), and
 *   -EBADF fd is not open; -EACCES it is not open for reading and writing;
 *   -EPROTO it is not this device's cdev;
 *   -EACCES (kernel) a VF token is needed and missing, or it is another one
 */
int ioasid_join_with(struct ioasid_ctx *ctx, const char *sysfs, const char *bdf,
		     const struct ioasid_join_how *how, struct ioasid_device **dev);

/**
 * LEAVE: detach if need be, unbind, close. The device is reset by the kernel.
 *
 * @param dev may be NULL; invalid afterwards
 */
void ioasid_leave(struct ioasid_device *dev);

/**
 * ATTACH the device to an IOASID of its context, or move it there in one step if it
 * is attached to another. Reads the group anew and applies the all-joined rule.
 *
 * @return 0;
 *   -EPERM an endpoint of the group has not joined (see ioasid_is_at_risk());
 *   -EADDRINUSE a map of the IOASID touches a reserved region of the group;
 *   -ENOENT no such IOASID, or the group has gone; -ENODEV the device has gone; -EPROTO,
 *   -ENOMEM the group cannot be read;
 *   kernel errors of VFIO_DEVICE_ATTACH_IOMMUFD_PT: -EADDRINUSE maps outside the
 *   IOMMU's aperture; -EINVAL group on another page table; -EBUSY; -ENOMEM, -EFAULT
 *   pinning of the maps made so far
 */
int ioasid_attach(struct ioasid_device *dev, uint32_t ioasid);

/**
 * DETACH from the IOASID; the device stays joined, its DMA is blocked. Not attached:
 * nothing happens.
 *
 * @return 0; kernel errors of VFIO_DEVICE_DETACH_IOMMUFD_PT
 */
int ioasid_detach(struct ioasid_device *dev);

/**
 * The IOVA ranges that an IOASID would have by this device: what its IOMMU can address,
 * but for the reserved regions of its group as it was when it joined or was last
 * attached, within the ranges given to ioasid_allow_iovas(). Nothing is attached for it.
 *
 * @param ranges an array in ascending order, for free()
 * @param count  its length; 0: nothing could be mapped
 * @return 0; -ENOENT no such IOASID; -ENOMEM; kernel errors of IOMMU_HWPT_ALLOC
 */
int ioasid_device_ranges(struct ioasid_device *dev, uint32_t ioasid, struct ioasid_range **ranges,
			 unsigned int *count);

/** @return the device fd (close-on-exec); it stays the device's. */
int ioasid_device_fd(const struct ioasid_device *dev);
/** @return the device's id in the context (out_devid of the kernel's BIND). */
uint32_t ioasid_device_id(const struct ioasid_device *dev);
/** @return the device's BDF; valid as long as the device. */
const char *ioasid_device_bdf(const struct ioasid_device *dev);
/** @return the directory of devices it was found in; valid as long as the device. */
const char *ioasid_device_sysfs(const struct ioasid_device *dev);
/** @return the name of the device's cdev, "vfio3"; valid as long as the device. */
const char *ioasid_device_cdev(const struct ioasid_device *dev);
/** @return the number of the device's IOMMU group when it joined. */
unsigned int ioasid_device_group(const struct ioasid_device *dev);
/**
 * @return whether the device joined with a VF token that this kernel will not ask for:
 *   before Linux 6.17 a VF's cdev needs none, only /dev/vfio/GROUP does.
 */
bool ioasid_device_token_unchecked(const struct ioasid_device *dev);
/** @return the IOASID that the device is attached to, 0 if none. */
uint32_t ioasid_device_ioasid(const struct ioasid_device *dev);

#ifdef __cplusplus
}
#endif

#endif /* IOASID_H */
