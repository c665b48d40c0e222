/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_INTERNAL_H
#define IOASID_INTERNAL_H

/*
 * What the files of the library know of one another.
 *
 * Two locks. A group's own is held for as long as the work on it takes, which may be the
 * reset of a device. The context's is held for some instructions only: never over a system
 * call that may wait. Who has a group's lock may take the context's, not the other way
 * round. Lists and fields of the group change under both, so either is good for reading.
 */

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <pthread.h>

#include "ioasid.h"

/* One map, a node of its space's tree, ordered by IOVA. */
struct map {
	RB_ENTRY(map) entry;
	struct ioasid_map m;
	bool busy; /* a thread is making or removing it in the kernel */
};

RB_HEAD(map_tree, map);
RB_PROTOTYPE(map_tree, map, entry, map_cmp)

/* A range that groups reserve in a space, each once. */
struct reserved {
	RB_ENTRY(reserved) entry;
	struct ioasid_reserved r;
	unsigned int group; /* one that reserves it */
	unsigned int users; /* groups */
};

RB_HEAD(reserved_tree, reserved);

/* One IOASID: the kernel's IOAS and what is mapped in it. */
struct space {
	RB_ENTRY(space) entry;
	uint32_t id;
	unsigned int busy; /* threads that are in the middle of something with it */
	unsigned int ndevices;
	uint64_t mapped; /* bytes */
	unsigned int nmaps;
	struct map_tree maps;
	struct reserved_tree reserved; /* by the groups that are attached */
	struct ioasid_range *allowed;  /* ascending; see ioasid_allow_iovas() */
	unsigned int nallowed;         /* 0: all */
};

RB_HEAD(space_tree, space);
RB_PROTOTYPE(space_tree, space, entry, space_cmp)

struct ioasid_device {
	RB_ENTRY(ioasid_device) entry; /* of the context's, by BDF */
	LIST_ENTRY(ioasid_device) in_group;
	struct ioasid_ctx *ctx;
	struct ioasid_group *group;
	int fd; /* -1 in a context without /dev/ioasid */
	uint32_t devid;
	unsigned int flags;
	bool token_unchecked;
	bool past_iommu;     /* see struct ioasid_member */
	bool announced;      /* the policy knows that it has joined */
	bool held;           /* nobody uses it, it only joined */
	bool yields;         /* somebody wants it back */
	struct space *space; /* NULL: not attached, or a context without IOASIDs */
	bool attached;
	char bdf[IOASID_BDF_SIZE];
	char cdev[IOASID_CDEV_SIZE];
};

RB_HEAD(device_tree, ioasid_device);
RB_PROTOTYPE(device_tree, ioasid_device, entry, device_cmp)

struct ioasid_group {
	RB_ENTRY(ioasid_group) entry; /* of the context's, by number */
	struct ioasid_ctx *ctx;
	unsigned int number;
	char *directory;   /* of devices, from which sysfs has the group */
	unsigned int refs; /* devices, opens, and threads that look at it */
	pthread_mutex_t lock;

	LIST_HEAD(, ioasid_device) devices; /* that have joined */
	unsigned int opens;                 /* ioasid_group_open() */
	struct ioasid_group_info *info;     /* as last read; NULL: not yet */
	bool attached;                      /* one of its devices is, so the kernel has all there */
	struct space *space;                /* where */
	struct space *home;                 /* where it is bound, NULL: nowhere */
	bool gone;     /* its number is nobody's any more, or another's: out of the tree */
	bool accepted; /* the risk, by the device that was attached */
	char *told;    /* BDFs at risk, as last reported; NULL: none */
	LIST_ENTRY(ioasid_group) risky; /* of those that have been told something */
	bool waits; /* a device has come that may be a named one: the next ATTACH joins it */
	LIST_ENTRY(ioasid_group) waiting;
	bool dirty; /* something happened: whoever unlocks it, or next locks it, looks */
};

RB_HEAD(group_tree, ioasid_group);
RB_PROTOTYPE(group_tree, ioasid_group, entry, group_cmp)

struct ioasid_ctx {
	int fd; /* -1: the group rule only */
	char *path;
	bool has_map_file; /* IOMMU_IOAS_MAP_FILE */
	struct ioasid_policy policy;
	pthread_mutex_t lock;
	struct space_tree spaces;
	struct device_tree devices;
	struct group_tree groups;
	LIST_HEAD(, ioasid_group) risky;
	LIST_HEAD(, ioasid_group) waiting;
	unsigned int nspaces, ndevices, ngroups;
};

/* space.c; under the context's lock */
struct space *space_find(struct ioasid_ctx *ctx, uint32_t ioasid);
/* An IOAS of the kernel's that no list knows: 0 or -errno, without a sentence. */
int space_new_object(struct ioasid_ctx *ctx, uint32_t *id);
int space_destroy_object(struct ioasid_ctx *ctx, uint32_t id);

/* reserved.c; under the context's lock */
/* Enter what a group reserves: 0; -ENOMEM with nothing entered. */
int reserved_add(struct space *space, const struct ioasid_group_info *info);
void reserved_remove(struct space *space, const struct ioasid_group_info *info);
void reserved_forget_all(struct space *space);
/* What a range touches, or NULL. */
const struct reserved *reserved_find(struct space *space, uint64_t iova, uint64_t last);
const struct reserved *reserved_next(struct space *space, const struct reserved *r);

/* device.c: a device's node. They fill in a device that no list knows yet, or no more. */
int device_open(struct ioasid_device *dev, const struct ioasid_member *m,
		const struct ioasid_join_how *how);
void device_close(struct ioasid_device *dev);
/* ATTACH and DETACH by the kernel alone, without a sentence: 0 or -errno. */
int device_attach(struct ioasid_device *dev, uint32_t ioas);
int device_detach(struct ioasid_device *dev);

/* vfio.c */
/* Whether a device that has been opened does its DMA past the IOMMU, or may do so. */
bool vfio_is_past_iommu(struct ioasid_device *dev, const struct ioasid_member *m);
/* No DMA and no interrupts of a device that nobody uses: 0 or -errno. */
int vfio_stop(struct ioasid_device *dev);
/* The same, and reset. */
int vfio_quiesce(struct ioasid_device *dev);

/* group.c */
/* A group with a reference, made if need be; NULL: out of memory, with the sentence. */
struct ioasid_group *group_get(struct ioasid_ctx *ctx, const char *directory, unsigned int number);
void group_hold(struct ioasid_group *group);
void group_put(struct ioasid_group *group);
/* Under the context's lock: NULL, there is none. */
struct ioasid_group *group_find(struct ioasid_ctx *ctx, unsigned int number);
struct ioasid_device *device_find(struct ioasid_ctx *ctx, const char *bdf);
void group_lock(struct ioasid_group *group);
/* Sees to what has happened to the group meanwhile. */
void group_unlock(struct ioasid_group *group);
/* It has been marked (dirty): whoever has the lock now sees to it, or we. Never waits. */
void group_poke(struct ioasid_group *group);
/* Under the group's lock: */
/* Join a member, for its own use or for its group's; its turn comes with group_announce(). */
int group_join(struct ioasid_group *group, const struct ioasid_member *m,
	       const struct ioasid_join_how *how, struct ioasid_device **dev);
/* Tell the policy that it has joined, once. */
void group_announce(struct ioasid_device *dev);
void group_set_held(struct ioasid_device *dev, bool held);
/*
 * The device, or all of them, really leaves; the caller has a reference to the group. In two
 * steps: out of its group; and closed, for which no lock is needed.
 */
void group_take_out(struct ioasid_device *dev);
void group_end_device(struct ioasid_device *dev);
void group_drop(struct ioasid_device *dev);
void group_drop_all(struct ioasid_group *group);
/* A device that has joined; NULL: it has not. */
struct ioasid_device *group_device(const struct ioasid_group *group, const char *bdf);
/* Whether a device is in use; not counting one, which may be NULL. */
bool group_used(const struct ioasid_group *group, const struct ioasid_device *but);
/* End every group of a context that is closed. */
void group_end_all(struct ioasid_ctx *ctx);

/* event.c */
/* Join, in all groups, what the kernel told of since and the user has named. */
void event_join_waiting(struct ioasid_ctx *ctx);

/* rule.c; under the group's lock */
/* Read the group anew. */
int rule_read(struct ioasid_group *group);
/* Join the members that the user named; those that cannot are reported. */
void rule_join_named(struct ioasid_group *group);
/* Whether the group may be attached for a device that accepts its risk or not: 0; -EPERM. */
int rule_decide(struct ioasid_group *group, const struct ioasid_device *dev, bool accepted);
/* Report that it is attached now. */
void rule_welcome(struct ioasid_group *group, const struct ioasid_device *dev);
/* Report that it may not be. */
void rule_refuse(struct ioasid_group *group, const struct ioasid_device *dev);
/* Report that the kernel lets nobody attach it, by this device. */
void rule_forbidden(struct ioasid_group *group, const struct ioasid_device *dev);
/* Report what is at risk in a group that is attached, if that is news. */
void rule_tell(struct ioasid_group *group, const struct ioasid_device *dev);
/* What was told is no news no more. */
void rule_forget(struct ioasid_group *group);
/* Something happened to the group: look, and tell. */
void rule_look(struct ioasid_group *group);
/* Whether a device is at risk that could join. */
bool rule_may_join(const struct ioasid_group *group);

/* attach.c; under the group's lock */
/* ATTACH under the rule; dev: on whose behalf. */
int attach_group(struct ioasid_group *group, const struct ioasid_device *dev, uint32_t ioasid);
/* Join, and attach, what is named by now. */
void attach_named(struct ioasid_group *group);
int attach_detach_group(struct ioasid_group *group);
/* A device alone: it is about to leave, or its group is. */
void attach_detach_device(struct ioasid_device *dev);

/* holder.c */
/*
 * Who keeps a group from being joined: members on kernel drivers, then processes that have
 * one of its nodes open. "" if nobody was found.
 */
void holder_describe(const struct ioasid_group_info *info, char *buf, size_t size);

/* given.c */
/*
 * Take a descriptor that somebody else has opened, and that is said to be `what`: 0 or
 * -errno with the sentence set; then it stays the caller's.
 */
int given_adopt(int fd, const char *what);
/* What /proc calls an fd, "/dev/null"; "?" if it cannot be told. */
const char *given_name(int fd, char *buf, size_t size);

/* map.c; under the context's lock */
struct map *map_first(struct space *space, uint64_t iova, uint64_t last);
/* forget all maps of a space that is about to be destroyed */
void map_forget_all(struct space *space);

/* range.c */
/* Whether a map would be within the ranges that the IOASID was given: 0 or -EADDRNOTAVAIL. */
int range_check_allowed(const struct space *space, uint64_t iova, uint64_t last);
/*
 * What of a space a device cannot reach that was refused there, and what it can, in words;
 * "" if that cannot be told.
 */
void range_describe_misfit(struct ioasid_device *dev, struct space *space, char *buf, size_t size);

#endif /* IOASID_INTERNAL_H */
