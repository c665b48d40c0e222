/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

/*
 * A kernel for unit tests: iommufd, VFIO device cdevs and IOMMU groups behind the
 * library's table of system calls, and a sysfs that is a real directory tree.
 *
 * It keeps the kernel's own rules (drivers/iommu/iommufd, drivers/vfio) and none of
 * the library's: with an unjoined device in the group it attaches happily, as the
 * kernel does. Deliberately not modelled: PASIDs, no-IOMMU mode, IOVAs chosen by the
 * kernel, calls that the library does not make (ENOTTY).
 *
 * Calls from several threads are safe once the machine is set up.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FAKE_PAGE 4096u

/* Number of a device's group when it is not behind an IOMMU. */
#define FAKE_NO_GROUP UINT32_MAX

struct fake_reserved {
	uint64_t start;
	uint64_t last;
	const char *type; /* as in sysfs: "msi", "reserved", "direct", "direct-relaxable" */
};

/* A PCI device as it is plugged in. */
struct fake_pci {
	const char *bdf;
	uint32_t group;
	uint16_t vendor;
	uint16_t device;
	uint32_t class_code;
	uint8_t header;                   /* byte 0x0e of the configuration space */
	const char *driver;               /* NULL: unbound; vfio-pci gives it a cdev */
	struct fake_reserved reserved[3]; /* up to the first without a type */
};

/* What the whole machine is like; set by fake_start() to what a good one is. */
struct fake_machine {
	bool has_alias;         /* /dev/ioasid exists; default: only /dev/iommu does */
	bool has_iommufd;       /* /dev/iommu exists */
	bool unsafe_msi;        /* interrupts are not isolated: BIND is EPERM */
	bool no_map_file;       /* older than Linux 6.13: no MAP_FILE */
	bool late_table;        /* the IOMMU's driver finishes a page table at attach */
	bool not_coherent;      /* the IOMMU does not snoop: BIND is EINVAL */
	uint64_t aperture_last; /* last IOVA that the IOMMU can translate */
	uint64_t memlock;       /* bytes that may be pinned */
	bool asks_token;        /* BIND knows VF tokens, as since Linux 6.17 */
	int file;               /* an fd that can be mapped by file; 0: none */
	uint64_t file_size;
	int text_file;   /* an fd of a file of another kind; 0: none */
	uint64_t bad_va; /* first byte of a hole of one page in the process; 0: none */
};

extern struct fake_machine fake_machine;

/* Start an empty machine and put it behind the library. */
void fake_start(void);
/*
 * The number of things that are still there, and should not be at the end of a test:
 * open files, iommufds, IOASes, areas, and one more if any bytes are pinned.
 */
unsigned int fake_left(void);
/* Remove the machine; fake_left() of before, printed if not 0. */
unsigned int fake_stop(void);

/* Hot-plug; a device that stays open until it is closed, only its files are gone. */
void fake_plug(const struct fake_pci *pci);
void fake_unplug(const char *bdf);
/* Change the driver, NULL: unbind. The device must not be open. */
void fake_set_driver(const char *bdf, const char *driver);
/* The node of the device's cdev is a stale one: another device number. */
void fake_set_stale(const char *bdf);
/* The device is an SR-IOV physical function; a virtual function of that one. */
void fake_set_physical(const char *bdf);
void fake_set_virtual(const char *bdf, const char *physical);
/* The VF token of a physical function: 16 bytes. */
const uint8_t *fake_token(const char *bdf);
/* State of a group: /dev/vfio/N open; not on its default domain; 1:1 region. */
void fake_set_legacy_open(uint32_t group, bool open);
void fake_set_foreign_domain(uint32_t group, bool foreign);
void fake_set_require_direct(uint32_t group, bool direct);

/* Directory of devices, to give to the library. */
const char *fake_sysfs(void);
/*
 * Change sysfs behind the kernel's back; the path is relative to the directory of a
 * device, or to that of its group with "iommu_group/…". text NULL: remove the file,
 * symbolic link or directory.
 */
void fake_sysfs_write(const char *bdf, const char *file, const char *text);
void fake_sysfs_mkdir(const char *bdf, const char *file);
void fake_sysfs_symlink(const char *bdf, const char *file, const char *target);
/* Other files of /sys and /proc, by their whole path. */
void fake_write(const char *path, const char *text);

/* What fails and is counted besides the ioctls, whose key is the request. */
#define FAKE_ANY       0ul
#define FAKE_OPEN      1ul
#define FAKE_RDEV      2ul
#define FAKE_ADOPT     3ul
#define FAKE_PREAD     4ul
#define FAKE_PWRITE    5ul
#define FAKE_READ_FILE 6ul
#define FAKE_READ_LINK 7ul
#define FAKE_LIST      8ul
#define FAKE_CLOSE     9ul /* is counted and may be held, and cannot fail */

/*
 * The nth (from 1) call from now on of a kind fails with -err and does nothing. Up to
 * four may be outstanding; fake_fail_clear() forgets them and says how many did fire.
 */
void fake_fail(unsigned long request, unsigned int nth, int err);
unsigned int fake_fail_clear(void);
/* Calls of a kind since fake_start(). */
unsigned int fake_count(unsigned long request);

/*
 * The next call of a kind is held, before it does anything, until fake_let_go(). All other
 * calls go on. fake_wait_held() returns when it has come.
 */
void fake_hold(unsigned long request);
void fake_wait_held(void);
void fake_let_go(void);
/* Called at the next call of a kind, before it does anything, once: for what happens just then. */
void fake_at(unsigned long request, void (*fn)(void));

/*
 * Files as somebody else opens them, to be inherited: not close-on-exec, in the table of
 * open files like others.
 */
int fake_open_elsewhere(const char *path, bool read_only);
bool fake_is_close_on_exec(int fd);

/* What is so in the kernel. */
unsigned int fake_open_files(void);
bool fake_is_bound(const char *bdf);
uint32_t fake_attached(const char *bdf); /* id of the IOAS, 0: none */
unsigned int fake_areas(int iommufd, uint32_t ioas);
bool fake_has_file_area(int iommufd, uint32_t ioas, uint64_t iova, int fd, uint64_t offset,
			uint64_t length);
bool fake_has_area(int iommufd, uint32_t ioas, uint64_t iova, uint64_t va, uint64_t length);
uint64_t fake_pinned(void);
/*
 * The endpoints that can reach what an attached device of their group can, and have not been
 * bound by the same owner: those that the rule is about.
 */
unsigned int fake_exposed(const char **bdfs, unsigned int room);
bool fake_is_bus_master(const char *bdf);
void fake_set_bus_master(const char *bdf, bool on);
unsigned int fake_resets(const char *bdf);
/* The kernel wants a device back: its eventfd is signalled; false: nobody listens. */
bool fake_request(const char *bdf);
uint32_t fake_compat(int iommufd); /* id of the IOAS of VFIO's own calls, 0: none */
unsigned int fake_area_flags(int iommufd, uint32_t ioas, uint64_t iova); /* of the MAP */

#endif /* FAKE_KERNEL_H */
