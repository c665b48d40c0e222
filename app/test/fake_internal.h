/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FAKE_INTERNAL_H
#define FAKE_INTERNAL_H

/* What the files of the fake kernel know of one another. Callers hold the big lock. */

#include <bsd/sys/queue.h>
#include <limits.h>

#include "fake_kernel.h"

#define FAKE_MAJOR   511 /* device numbers of the cdevs are 511:N */
#define FAKE_DEVICES 1100
#define FAKE_IDS     4096 /* objects in one iommufd, ids 1 to 4095 */

/* One MAP. */
struct area {
	TAILQ_ENTRY(area) entry; /* in order of IOVA */
	uint64_t iova;
	uint64_t last;
	uint64_t va; /* or offset in the file */
	int fd;      /* -1: memory of the process */
	unsigned int flags;
};

/* IOVAs that may not be mapped, because of a device or the aperture of the domain. */
struct reserved {
	LIST_ENTRY(reserved) entry;
	uint64_t start;
	uint64_t last;
	const void *owner;
};

struct ioas {
	LIST_ENTRY(ioas) entry;
	uint32_t id;
	uint32_t domain_id;    /* 0: no device is attached, so there is no page table */
	unsigned int attached; /* devices */
	TAILQ_HEAD(, area) areas;
	LIST_HEAD(, reserved) reserved;
	struct fake_reserved allowed[4]; /* by ALLOW_IOVAS */
	unsigned int nallowed;
};

struct iommufd {
	unsigned int refs;   /* the file, and every bound device */
	bool used[FAKE_IDS]; /* ids of IOASes, page tables and devices */
	uint32_t compat;     /* the IOAS of VFIO's own calls, 0: none */
	LIST_HEAD(, ioas) ioases;
};

/* A PCI device and its state in VFIO. */
struct device {
	struct fake_pci pci;
	char bdf[32];
	char driver[32];   /* "": none */
	unsigned int cdev; /* N of vfioN */
	bool plugged;
	bool stale;
	/* SR-IOV */
	bool is_pf;
	struct device *pf; /* of a virtual function */
	unsigned int vfs;  /* of a physical one, in use */
	uint8_t token[16];
	struct iommufd *iommufd; /* bound to it */
	uint32_t id;
	struct ioas *ioas; /* attached to it */
	/* what a driver in user space has done to it */
	uint16_t command; /* of its configuration space */
	int request_fd;   /* to be signalled when the kernel wants it back, -1: none */
	unsigned int resets;
};

extern struct device fake_devices[FAKE_DEVICES];
extern unsigned int fake_ndevices;

bool device_has_cdev(const struct device *dev);

/* fake_iommufd.c: results as those of the system calls, >= 0 or -errno */
struct iommufd *iommufd_new(void);
void iommufd_put(struct iommufd *ctx);
int iommufd_ioctl(struct iommufd *ctx, unsigned long request, void *arg);
uint32_t iommufd_take_id(struct iommufd *ctx);
void iommufd_put_id(struct iommufd *ctx, uint32_t id);
int iommufd_attach(struct device *dev, uint32_t pt_id, uint32_t *out_pt_id);
void iommufd_detach(struct device *dev);
struct ioas *iommufd_find(struct iommufd *ctx, uint32_t id);
unsigned int iommufd_left(void); /* objects that are still there */
void iommufd_print_left(void);
void iommufd_forget(void);
uint64_t iommufd_pinned(void);
/* A struct of the user's: EINVAL too small; E2BIG a tail that is not 0. */
int copy_struct(void *to, size_t size, size_t min, const void *from);

/* fake_sysfs.c */
void sysfs_start(void);
void sysfs_stop(void);
void sysfs_add(const struct device *dev);
void sysfs_remove(const struct device *dev);
void sysfs_set_driver(const struct device *dev);
/* A path as the library says it, in the tree that stands for /sys and /proc. */
const char *sysfs_path(const char *path, char buf[PATH_MAX]);

/* The set-up of a test went wrong: say so and end the program. */
void fake_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif /* FAKE_INTERNAL_H */
