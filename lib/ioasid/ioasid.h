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
 * group share a page table, so as long as a device is attached, every endpoint of its
 * group has joined the same context, or was accepted at risk (IOASID_IMPLICIT_GROUP).
 * The group is one object: it joins the members that the user named, it is read from
 * sysfs before and after each ATTACH, when a device leaves, and when the kernel tells of
 * one that comes or goes; and what cannot be read is refused, never taken for "nobody".
 * A named device that the kernel tells of joins with the next ATTACH, of whatever device.
 *
 * Errors: every function that can fail returns 0 or -errno (never sets errno), and
 * leaves a sentence for the user in ioasid_error(). The errno values named here as
 * "kernel" are those of Documentation/userspace-api/iommufd.rst and
 * Documentation/driver-api/vfio.rst.
 *
 * Threads: calls on one context may come from any thread. What waits for hardware (JOIN,
 * ATTACH, LEAVE, which reset devices and pin memory) holds a lock of its group only, maps
 * and lists none of them: a call waits for another about the same group, and for nothing
 * else. A device handle must not be used while another thread makes it leave.
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
/** An IOMMU group that the context has to do with. */
struct ioasid_group;

/** An inclusive range of I/O virtual addresses, in bytes. */
struct ioasid_range {
	uint64_t start;
	uint64_t last;
};

/** How a member of a group stands by the rule. */
enum ioasid_standing {
	IOASID_AT_RISK, /**< an endpoint that has not joined */
	IOASID_JOINED,
	IOASID_EXEMPT, /**< see ioasid_is_exempt() */
};

/** A device of an IOMMU group, as sysfs describes it. */
struct ioasid_member {
	char bdf[IOASID_BDF_SIZE];
	char bus[16];                    /**< "pci"; the kernel's word for others */
	uint16_t vendor;                 /**< PCI vendor ID, 0 if not on PCI */
	uint16_t device;                 /**< PCI device ID, 0 if not on PCI */
	uint32_t class_code;             /**< PCI class, 24 bits as in sysfs `class` */
	bool bridge;                     /**< PCI header type 1 or 2: cannot join */
	bool host_bridge;                /**< PCI class 0600 and header type 0 */
	char cdev[IOASID_CDEV_SIZE];     /**< VFIO device cdev, "" if not on a VFIO driver */
	char driver[IOASID_DRIVER_SIZE]; /**< kernel driver, "" if unbound */
	enum ioasid_standing standing;
	/**
	 * A joined virtio device without VIRTIO_F_ACCESS_PLATFORM, or of which that cannot be
	 * told: its DMA goes past the IOMMU, to what it takes for physical addresses, and so
	 * to all memory of this machine.
	 */
	bool past_iommu;
};

/** A reserved range of a group, from sysfs `reserved_regions`. */
struct ioasid_reserved {
	struct ioasid_range range;
	char type[24]; /**< the kernel's word: "msi", "direct", "reserved" … */
};

/** An IOMMU group: what sysfs said when it was read, and how its members stand. */
struct ioasid_group_info {
	unsigned int number;
	bool noiommu; /**< there is no IOMMU behind it: VFIO's no-IOMMU mode */
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
	uint32_t ioasid;    /**< that its group is attached to, 0: none */
	bool held;          /**< only joined: nobody uses it, its group holds it */
};

/** Access of the device to a mapping. */
#define IOASID_READ  (1u << 0)
#define IOASID_WRITE (1u << 1)

/**
 * Flag of ioasid_join(): attach even though other endpoints of the group have not
 * joined. They can then reach all memory mapped in the IOASID.
 */
#define IOASID_IMPLICIT_GROUP (1u << 0)

/** Size of a VF token, a UUID in binary form. */
#define IOASID_TOKEN_SIZE 16

/** How a device joins. */
struct ioasid_join_how {
	unsigned int flags; /**< 0 or IOASID_IMPLICIT_GROUP */
	/**
	 * Its cdev, opened by somebody else; -1: open it. The device's from a success on
	 * (closed when it leaves), else still the caller's. Becomes close-on-exec. The device
	 * stays bound, and its group taken, as long as anybody keeps a copy.
	 */
	int fd;
	/**
	 * IOASID_TOKEN_SIZE bytes, NULL: none. The secret that the users of an SR-IOV
	 * physical function and of its virtual functions share when both are on vfio-pci:
	 * set by whoever joins the PF, asked of whoever joins a VF. Other devices ignore it.
	 */
	const uint8_t *vf_token;
};

/** What is to be told to the user about a group. */
enum ioasid_news {
	/** The group has been attached, with its first device. */
	IOASID_NEWS_ATTACHED,
	/** An ATTACH was refused by the rule. */
	IOASID_NEWS_REFUSED,
	/**
	 * The rule allows it, but the kernel does not, by EPERM, as only one of its security
	 * modules does: `dpdk-ioasid guard` for instance.
	 */
	IOASID_NEWS_FORBIDDEN,
	/**
	 * Its list of endpoints at risk has changed while it is attached: by the first ATTACH
	 * where the risk was accepted, or by devices that came or went.
	 */
	IOASID_NEWS_AT_RISK,
	/** While it is attached, it cannot be read any more: see ioasid_error(). */
	IOASID_NEWS_UNKNOWN,
	/** A named member could not join: see ioasid_error(). It is left to the rule. */
	IOASID_NEWS_NOT_JOINED,
};

/** A report to the user's side. */
struct ioasid_report {
	enum ioasid_news news;
	const char *bdf; /**< the device it is about: which is attached, or could not join */
	int err;         /**< -errno with IOASID_NEWS_UNKNOWN and _NOT_JOINED */
	bool accepted;   /**< the device joined with IOASID_IMPLICIT_GROUP */
	const struct ioasid_group_info *group; /**< NULL with IOASID_NEWS_UNKNOWN */
};

/**
 * What the user wants and is told, given to ioasid_open(). Each function may be NULL. They
 * are called while a group is being worked on: they must call nothing that is about devices
 * or groups, but for ioasid_device_…() of the device they are given.
 */
struct ioasid_policy {
	/**
	 * Whether the user named this device: it is then joined for its group's sake. By the
	 * threads that call ioasid_attach(), ioasid_check() and ioasid_group_…() only.
	 */
	bool (*named)(const struct ioasid_member *m, void *arg);
	/** How a device joins by ioasid_join(), or for its group's sake. */
	void (*how)(const char *bdf, struct ioasid_join_how *how, void *arg);
	/** A device has joined; one that joined ahead: its turn has come. */
	void (*joined)(struct ioasid_device *dev, void *arg);
	/**
	 * Nobody uses this joined device, its group holds it from now on: whoever wants it
	 * back (VFIO's request) must be answered with ioasid_yield().
	 */
	void (*held)(struct ioasid_device *dev, void *arg);
	/** Not any more: it is handed over, or about to leave. After each `held`. */
	void (*let_go)(struct ioasid_device *dev, void *arg);
	void (*report)(const struct ioasid_report *report, void *arg);
	void *arg;
};

/**
 * The sentence for the calling thread's last failed call: device, cause, next step.
 *
 * @return never NULL; valid until this thread's next failing call.
 */
const char *ioasid_error(void);

/**
 * Open the device of I/O address spaces.
 *
 * @param path   node to open; NULL: /dev/ioasid if it exists, else /dev/iommu
 * @param policy copied; NULL: nobody is named, nothing is told
 * @param ctx    the new context; ioasid_close() frees it
 * @return 0;
 *   -ENOENT, -ENODEV no such node, or nothing behind it: the kernel has no iommufd;
 *   -EACCES, -EPERM the node may not be opened, or its ioctls are filtered;
 *   -ENOTTY the node is something else;
 *   -ENOMEM.
 */
int ioasid_open(const char *path, const struct ioasid_policy *policy, struct ioasid_ctx **ctx);

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
int ioasid_open_fd(int fd, const struct ioasid_policy *policy, struct ioasid_ctx **ctx);

/**
 * A context without /dev/ioasid, for devices that somebody else attaches, by VFIO's groups
 * and containers: the group rule, and nothing else. A device has joined in it when
 * ioasid_join() was called for it, or when the user named it and it is on a VFIO driver:
 * whoever holds the group then keeps all others out. ATTACH is the permission to attach;
 * IOASIDs and maps there are none.
 *
 * @return 0; -ENOMEM
 */
int ioasid_open_rule(const struct ioasid_policy *policy, struct ioasid_ctx **ctx);

/**
 * Make every joined device leave, free every IOASID with its maps, close. The
 * handles of devices and groups become invalid. No other call may be under way.
 *
 * @param ctx may be NULL
 */
void ioasid_close(struct ioasid_ctx *ctx);

/** @return the context's file descriptor (close-on-exec), -1: none; it stays the context's. */
int ioasid_fd(const struct ioasid_ctx *ctx);

/** @return the path that was opened, "fd N", or "" if none; valid as long as the context. */
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
 * @return 0; -ENOENT no such IOASID; -EBUSY a device is attached to it, a group bound, or
 *   another thread is attaching or mapping
 */
int ioasid_free(struct ioasid_ctx *ctx, uint32_t ioasid);

/**
 * The IOVA ranges that can be mapped now: what the IOMMUs of the attached devices can
 * address, but for the reserved regions of their groups, within the ranges given to
 * ioasid_allow_iovas(). Ask after ATTACH: some IOMMU
 * drivers finish a page table only then (virtio-iommu, arm-smmu), and say before that
 * nothing can be addressed.
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
 *   -EBUSY overlaps one that another thread is making or removing;
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
 *   names: nothing was unmapped;
 *   -EBUSY another thread is making or removing one of the maps
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

/*
 * Lists are copies, for those who look from another thread while things change. They come
 * in pages that continue by key, so that what comes and goes in between moves nothing, and
 * no entry is passed over to get to another. None of these calls reads sysfs or waits.
 */

/**
 * The IOASIDs of the context, in the order of their numbers.
 *
 * @param from  the lowest number that is wanted
 * @param list  an array to be filled
 * @param room  its length
 * @param total how many there are in all; may be NULL
 * @return how many were filled in
 */
unsigned int ioasid_list(struct ioasid_ctx *ctx, uint32_t from, struct ioasid_info *list,
			 unsigned int room, unsigned int *total);

/**
 * The maps of an IOASID, in the order of their IOVAs.
 *
 * @param from the lowest IOVA that is wanted
 * @return how many were filled in; 0 also if there is no such IOASID
 */
unsigned int ioasid_list_maps(struct ioasid_ctx *ctx, uint32_t ioasid, uint64_t from,
			      struct ioasid_map *maps, unsigned int room);

/**
 * The devices that have joined, in the order of their BDFs.
 *
 * @param from the first BDF that is wanted, "": all
 */
unsigned int
ioasid_list_devices(struct ioasid_ctx *ctx, const char *from, struct ioasid_device_info *list,
		    unsigned int room, unsigned int *total);

/**
 * The IOMMU groups of the devices that have joined, in the order of their numbers, as they
 * were last read: by the last ATTACH, LEAVE or event.
 *
 * @param from the lowest number that is wanted
 * @param list what is filled in is for ioasid_group_info_free(); NULL: out of memory
 */
unsigned int
ioasid_list_groups(struct ioasid_ctx *ctx, unsigned int from, struct ioasid_group_info **list,
		   unsigned int room, unsigned int *total);

/*
 * What sysfs says, without a context. `devices` is the directory of devices of a bus,
 * "/sys/bus/pci/devices".
 */

/**
 * Read the IOMMU group of a device. No member has joined anything, as far as this knows.
 *
 * @param info for ioasid_group_info_free()
 * @return 0; -ENODEV no such device; -ENOENT the device has no IOMMU group;
 *   -EPROTO sysfs holds something that cannot be read or understood; -ENOMEM
 */
int ioasid_group_info_read(const char *devices, const char *bdf, struct ioasid_group_info **info);

/**
 * The same by the number of a group.
 *
 * @return 0; -ENOENT there is no such group; -EPROTO, -ENOMEM
 */
int ioasid_group_info_by_number(const char *devices, unsigned int number,
				struct ioasid_group_info **info);

/** @param info may be NULL */
void ioasid_group_info_free(struct ioasid_group_info *info);

/** @return the member of that name, NULL: there is none; valid as long as the group's. */
const struct ioasid_member *
ioasid_group_member(const struct ioasid_group_info *info, const char *bdf);

/** @return how many members are at risk. */
unsigned int ioasid_group_at_risk(const struct ioasid_group_info *info);

/**
 * Whether the rule is not about this member: PCI bridges (header type 1 and 2) and host
 * bridges (class 0600) are part of the way to the IOMMU, and no program can have them.
 */
bool ioasid_is_exempt(const struct ioasid_member *m);

/** Whether a member is a virtio device. */
bool ioasid_is_virtio(const struct ioasid_member *m);

/**
 * Whether a virtio device on PCI offers VIRTIO_F_ACCESS_PLATFORM: without it, its DMA goes
 * past the IOMMU. Asks by the configuration space alone (virtio 1.2, 4.1.4.9,
 * VIRTIO_PCI_CAP_PCI_CFG), so memory need not be enabled. It moves the device's window and its
 * choice of feature bits: for nobody else to use meanwhile.
 *
 * @param fd     the file with the configuration space, open for reading and writing: sysfs's
 *   `config`, or an open VFIO device
 * @param config where in it that begins: 0; or the offset of VFIO_PCI_CONFIG_REGION_INDEX
 * @return 1 yes; 0 no, or a legacy device, which has no such bit; -errno
 */
int ioasid_virtio_access_platform(int fd, uint64_t config);

/** @return how many joined members do their DMA past the IOMMU. */
unsigned int ioasid_group_past_iommu(const struct ioasid_group_info *info);

/** Whether a member is on a VFIO driver: vfio-pci, or one that is made for its device. */
bool ioasid_is_on_vfio(const struct ioasid_member *m);

/**
 * The number of a device's IOMMU group, without its members.
 *
 * @return 0 and the errors of ioasid_group_info_read()
 */
int ioasid_group_number(const char *devices, const char *bdf, unsigned int *number);

/** @return 1: the device is on a VFIO driver (Linux 6.1 tells); 0; -EPROTO, -ENOMEM */
int ioasid_is_vfio(const char *devices, const char *bdf);

/**
 * The physical function of a device that is an SR-IOV virtual function.
 *
 * @param physical IOASID_BDF_SIZE bytes
 * @return 1; 0 it is none, or there is no such device; -EPROTO
 */
int ioasid_physical_function(const char *devices, const char *bdf, char *physical);

/**
 * The other processes that have a node of the device's IOMMU group open, as far as this
 * user may see: "process 12 (dpdk-testpmd) has /dev/vfio/devices/vfio0 open, …".
 *
 * @param buf "" if there are none, or if that cannot be told
 * @return 0 and the errors of ioasid_group_info_read()
 */
int ioasid_group_users(const char *devices, const char *bdf, char *buf, size_t size);

/** @return 1: VFIO's no-IOMMU mode is on, and there is no IOMMU; 0; -EPROTO cannot tell */
int ioasid_kernel_is_noiommu(void);

/**
 * @return 1: VFIO is there and has no device cdevs (Linux before 6.6, or without
 *   CONFIG_VFIO_DEVICE_CDEV); 0: it has, or is not loaded yet; -EPROTO cannot tell
 */
int ioasid_kernel_lacks_cdevs(void);

/**
 * JOIN: open the device's cdev and bind it to the context, as the policy says (`how`). The
 * kernel then allows no other owner for any device of its group. The device is in use until
 * ioasid_leave(); one that its group holds is handed over.
 *
 * @param devices directory of devices, "/sys/bus/pci/devices"
 * @param bdf     the device
 * @param dev     the joined device; ioasid_leave() ends it
 * @return 0;
 *   -EEXIST is in use in this context already;
 *   -ENODEV no such device; -ENOENT not bound to a VFIO driver, no IOMMU group, or
 *   a kernel without device cdevs;
 *   -EPROTO its group cannot be read; or the node under /dev/vfio/devices is another
 *   device's;
 *   -ENOTSUP there is no IOMMU behind it (VFIO's no-IOMMU mode);
 *   -EACCES its cdev may not be opened; -EINVAL unknown flag;
 *   -EBADF, -EACCES, -EPROTO the fd of `how` is not open, not for reading and writing, not
 *   this device's;
 *   kernel errors of VFIO_DEVICE_BIND_IOMMUFD:
 *   -EBUSY the group is open by /dev/vfio/GROUP, or not on its default domain;
 *   -EPERM interrupts are not isolated, or a kernel driver or another process owns the
 *   group; -EINVAL bound by somebody else, or the platform does not allow it;
 *   -EKEYREJECTED a VF token is needed and missing, or it is another one (kernel: -EACCES);
 *   kernel errors of VFIO_DEVICE_FEATURE, by which older kernels take the VF token
 */
int ioasid_join(struct ioasid_ctx *ctx, const char *devices, const char *bdf,
		struct ioasid_device **dev);

/** JOIN in another way than the policy's. */
int ioasid_join_with(struct ioasid_ctx *ctx, const char *devices, const char *bdf,
		     const struct ioasid_join_how *how, struct ioasid_device **dev);

/**
 * JOIN ahead of ioasid_join(), which resets the device and takes its time: for many devices at a
 * time, each by a thread of the caller's. Its group holds it, attached nowhere, until
 * ioasid_join() hands it over, or ioasid_attach() of another device of the group finds it
 * joined. One that has joined already: nothing happens. After a failure all is as it was, and
 * ioasid_join() can be tried.
 *
 * @return 0 and the errors of ioasid_join() but -EEXIST
 */
int ioasid_join_ahead(struct ioasid_ctx *ctx, const char *devices, const char *bdf);

/**
 * LEAVE of a device that its group holds and in whose group nobody is in use: one that joined
 * ahead and was not wanted, or that was set aside. The group is DETACHed, then it is closed,
 * which resets it: like JOIN ahead, for many devices at a time, also of one group. If its
 * group is in use or open, or it has not joined: nothing happens.
 */
void ioasid_leave_unused(struct ioasid_ctx *ctx, const char *bdf);

/**
 * No more DMA and no interrupts of this device: bus mastering off. It stays joined and attached.
 *
 * @return 0; kernel errors: it does not answer
 */
int ioasid_stop(struct ioasid_device *dev);

/**
 * Nobody uses the device any more; unlike ioasid_leave() nothing else happens to it: its group
 * holds it, attached as it is and without a reset, until ioasid_leave_unused(). For the end of
 * a program, after ioasid_stop().
 *
 * @param dev invalid afterwards
 */
void ioasid_set_aside(struct ioasid_device *dev);

/**
 * LEAVE: the device is reset, and its handle ends. As long as another device of its group is
 * in use, or the group is open (ioasid_group_open()), it stays joined, so that nobody else
 * gets it, with bus mastering off; with the last one all leave.
 *
 * @param dev may be NULL; invalid afterwards
 */
void ioasid_leave(struct ioasid_device *dev);

/**
 * Somebody wants a device back that is only held: it leaves, and the others of its group
 * go on. May be called at any time and from any thread; if its group is being worked on,
 * whoever does that will see to it. Of a device that is not held: nothing happens.
 */
void ioasid_yield(struct ioasid_ctx *ctx, const char *bdf);

/**
 * The kernel tells of a device that came, went, or changed its driver: the group it belongs
 * to is read again if it is attached, and reported if its list of endpoints at risk is
 * another one. For any thread, as ioasid_yield().
 *
 * @param bdf NULL: events were lost, look at all groups
 */
void ioasid_device_event(struct ioasid_ctx *ctx, const char *devices, const char *bdf);

/**
 * ATTACH the device and all joined devices of its group to an IOASID of the context, or move
 * the group there in one step if it is attached to another. Reads the group before and after,
 * joins the members that the user named, and applies the rule; if it does not hold, all is as
 * it was before.
 *
 * @param ioasid where, unless the group is bound elsewhere (ioasid_group_bind()); ignored in
 *   a context of ioasid_open_rule()
 * @return 0;
 *   -EPERM an endpoint of the group has not joined, or one that has does its DMA past the
 *   IOMMU (reported);
 *   -EADDRINUSE a map of the IOASID touches a reserved region of the group;
 *   -ENOENT no such IOASID, or the group has gone; -ENODEV the device has gone; -EPROTO,
 *   -ENOMEM the group cannot be read;
 *   kernel errors of VFIO_DEVICE_ATTACH_IOMMUFD_PT: -EADDRINUSE maps outside the
 *   IOMMU's aperture; -EINVAL group on another page table; -EBUSY; -ENOMEM, -EFAULT
 *   pinning of the maps made so far; -EPERM a security module forbids it (reported)
 */
int ioasid_attach(struct ioasid_device *dev, uint32_t ioasid);

/**
 * Apply the rule again, where the caller has attached the device by other means.
 *
 * @return 0 and the errors of the rule of ioasid_attach()
 */
int ioasid_check(struct ioasid_device *dev);

/**
 * The kernel has refused by EPERM to let the caller attach the device by other means: have
 * that reported (IOASID_NEWS_FORBIDDEN).
 */
void ioasid_forbidden(struct ioasid_device *dev);

/**
 * DETACH the device's whole group from its IOASID; all stay joined, their DMA is blocked.
 * Not attached: nothing happens.
 *
 * @return 0; kernel errors of VFIO_DEVICE_DETACH_IOMMUFD_PT
 */
int ioasid_detach(struct ioasid_device *dev);

/**
 * Open a group by its number, whether or not a device of it is in use: its named members
 * join, and at least one must, so that the group stays this one. Until ioasid_group_close()
 * its members stay joined.
 *
 * @param devices the directory of devices of any bus
 * @return 0; -ENOENT no such group; -ENODEV none of its members could join (reported); errors
 *   of reading
 */
int ioasid_group_open(struct ioasid_ctx *ctx, const char *devices, unsigned int number,
		      struct ioasid_group **group);

/**
 * When it was the last use of the group, all of it leaves. A group in use stays where it is
 * attached; it is bound no more.
 *
 * @param group may be NULL
 */
void ioasid_group_close(struct ioasid_group *group);

/**
 * @return whether all devices of an open group have been taken away: then its number is not its
 *   own any more, and nothing but ioasid_group_unbind() and _close() makes sense
 */
bool ioasid_group_is_gone(struct ioasid_group *group);

/** @return the number of the group. */
unsigned int ioasid_group_get_number(const struct ioasid_group *group);

/** @return whether a device of the group is in use. */
bool ioasid_group_in_use(struct ioasid_group *group);

/**
 * Bind an open group to an IOASID: its devices are attached there and not where
 * ioasid_attach() says; if it was bound to another one, no more there. If a device is in use,
 * the group is attached there now, or moves, in one step. In a context of ioasid_open_rule():
 * the permission to attach the group.
 *
 * @return 0; the errors of ioasid_attach(), all is as before
 */
int ioasid_group_bind(struct ioasid_group *group, uint32_t ioasid);

/**
 * Bound no more, and DETACHed: until the next ioasid_attach() the DMA of its devices is
 * blocked. Whoever gives up an IOASID does not want its devices in another one.
 *
 * @return 0; kernel errors of VFIO_DEVICE_DETACH_IOMMUFD_PT: it stays bound
 */
int ioasid_group_unbind(struct ioasid_group *group);

/** Whether a device has joined the context: 0; -ENOENT it has not. */
int ioasid_find_device(struct ioasid_ctx *ctx, const char *bdf, struct ioasid_device_info *info);

/**
 * What the IOMMU of a device that is attached nowhere can address, but for what its group
 * reserves, within the ranges that an IOASID was given. For this it is attached to an empty
 * IOASID for a moment.
 *
 * @param ranges an array in ascending order, for free()
 * @param count  its length; 0: nothing could be mapped
 * @return 0; -EBUSY its group is attached; -ENOENT no such IOASID; -ENOMEM; kernel errors
 */
int ioasid_device_reach(struct ioasid_device *dev, uint32_t ioasid, struct ioasid_range **ranges,
			unsigned int *count);

/** @return the device fd (close-on-exec); it stays the device's. */
int ioasid_device_fd(const struct ioasid_device *dev);
/** @return the device's id in the context (out_devid of the kernel's BIND). */
uint32_t ioasid_device_id(const struct ioasid_device *dev);
/** @return the device's BDF; valid as long as the device. */
const char *ioasid_device_bdf(const struct ioasid_device *dev);
/** @return the name of the device's cdev, "vfio3"; valid as long as the device. */
const char *ioasid_device_cdev(const struct ioasid_device *dev);
/** @return the number of the device's IOMMU group. */
unsigned int ioasid_device_group(const struct ioasid_device *dev);
/**
 * @return whether the device joined with a VF token that this kernel will not ask for:
 *   before Linux 6.17 a VF's cdev needs none, only /dev/vfio/GROUP does.
 */
bool ioasid_device_token_unchecked(const struct ioasid_device *dev);
/** @return the IOASID that the device's group is attached to, 0 if none. */
uint32_t ioasid_device_ioasid(const struct ioasid_device *dev);

struct vfio_device_info;

/**
 * VFIO_DEVICE_GET_INFO of any process's descriptor of a joined device.
 *
 * @param info argsz is set by the caller
 * @return 0; kernel errors
 */
int ioasid_vfio_info(int fd, const char *bdf, struct vfio_device_info *info);

/**
 * Let VFIO signal an eventfd when the kernel wants the device back (removed, or unbound).
 *
 * @param eventfd -1: not any more
 * @return 0; -ENOTSUP the device's bus has no such request; kernel errors
 */
int ioasid_device_on_request(struct ioasid_device *dev, int eventfd);

#ifdef __cplusplus
}
#endif

#endif /* IOASID_H */
