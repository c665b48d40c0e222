/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_INTERNAL_H
#define IOASID_INTERNAL_H

/* What the files of the library know of one another. Callers hold ctx->lock. */

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <pthread.h>

#include "ioasid.h"

/* One map, a node of its space's tree, ordered by IOVA. */
struct map {
	RB_ENTRY(map) entry;
	struct ioasid_map m;
};

RB_HEAD(map_tree, map);
RB_PROTOTYPE(map_tree, map, entry, map_cmp)

/* One IOASID: the kernel's IOAS and what is mapped in it. */
struct space {
	LIST_ENTRY(space) entry;
	uint32_t id;
	uint64_t mapped; /* bytes */
	struct map_tree maps;
	struct ioasid_range *allowed; /* ascending; see ioasid_allow_iovas() */
	unsigned int nallowed;        /* 0: all */
	unsigned int nmaps;
};

struct ioasid_device {
	LIST_ENTRY(ioasid_device) entry;
	struct ioasid_ctx *ctx;
	int fd;
	uint32_t devid;
	unsigned int flags;
	bool token_unchecked;
	char bdf[IOASID_BDF_SIZE];
	char cdev[IOASID_CDEV_SIZE];
	char *sysfs;
	/* As read at the last ATTACH: its reserved regions bind the space. */
	struct ioasid_group *group;
	struct space *space; /* NULL: not attached */
};

struct ioasid_ctx {
	int fd;
	char *path;
	bool has_map_file; /* IOMMU_IOAS_MAP_FILE */
	pthread_mutex_t lock;
	LIST_HEAD(, space) spaces;
	LIST_HEAD(, ioasid_device) devices;
};

/* space.c */
struct space *space_find(struct ioasid_ctx *ctx, uint32_t ioasid);
/* End an object of the kernel's, an IOAS or a page table: 0 or -errno, without a sentence. */
int space_destroy_object(struct ioasid_ctx *ctx, uint32_t id);

/* device.c */
struct ioasid_device *device_find(struct ioasid_ctx *ctx, const char *bdf);
/* leave with the lock held */
void device_drop(struct ioasid_device *dev);

/* group.c */
/* The name of a device's cdev in sysfs: 0, or -ENOENT: not on a VFIO driver. */
int group_read_cdev(const char *sysfs, const char *bdf, char cdev[IOASID_CDEV_SIZE]);

/* Whether a reserved region really may not be mapped. */
bool group_reserves(const struct ioasid_reserved *r);

/* holder.c */
/*
 * Who keeps the group of a device from being joined: members on kernel drivers, then
 * processes that have one of its nodes open. "" if nobody was found.
 */
void holder_describe(const char *sysfs, const char *bdf, char *buf, size_t size);

/* given.c */
/*
 * Take a descriptor that somebody else has opened, and that is said to be `what`: 0 or
 * -errno with the sentence set; then it stays the caller's.
 */
int given_adopt(int fd, const char *what);
/* What /proc calls an fd, "/dev/null"; "?" if it cannot be told. */
const char *given_name(int fd, char *buf, size_t size);

/* map.c */
struct map *map_first(struct space *space, uint64_t iova, uint64_t last);
/* forget all maps of a space that is about to be destroyed */
void map_forget_all(struct space *space);

/* range.c */
/* Whether a map would be within the ranges that the IOASID was given: 0 or -EADDRNOTAVAIL. */
int range_check_allowed(const struct space *space, uint64_t iova, uint64_t last);

/* What of a space a device cannot reach, and what it can, in words; "" if all is well. */
void range_describe_misfit(struct ioasid_device *dev, struct space *space, char *buf, size_t size);

#endif /* IOASID_INTERNAL_H */
