/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GUARD_SHARED_H
#define GUARD_SHARED_H

/*
 * What the guard's programs in the kernel (rule.bpf.c) and the command have in common: the
 * values of its maps. They stay as they are as long as GUARD_FORMAT does: a guard that is
 * replaced hands its counters and its records on.
 */

#include <linux/types.h>

#define GUARD_FORMAT 1

/* A device's name, on PCI its address. */
#define GUARD_NAME 32
/* One directory of a cgroup's path. */
#define GUARD_CGROUP_NAME 128
/* Deeper are no exceptions. */
#define GUARD_CGROUP_DEPTH 16
/* A record's path: as much, and one name. */
#define GUARD_CGROUP (256 + GUARD_CGROUP_NAME)
/* Of members that a record names; it counts all. */
#define GUARD_MEMBERS 8
/* Records that are kept, the newest. */
#define GUARD_RECORDS 512
/* Members of a group that are looked at; in a larger group nothing is attached. */
#define GUARD_GROUP_SIZE 256

/* From the widest to the strictest: what each endpoint of a group must be. */
enum guard_rule {
	GUARD_BOUND,  /* joined, or on a VFIO driver, so that only who has the group opens it */
	GUARD_JOINED, /* joined; by the groups of old, where none joins, as ALONE */
	GUARD_ALONE,  /* the only one */
};

/* The map `policy`, one element. */
struct guard_policy {
	__u32 format; /* GUARD_FORMAT */
	__u32 rule;
	__u32 report_only;
	__u32 hook;    /* enum guard_hook */
	__u64 started; /* CLOCK_BOOTTIME, in ns */
};

enum guard_hook {
	GUARD_HOOK_LSM,  /* as one of the kernel's security modules */
	GUARD_HOOK_FMOD, /* before the kernel asks those, where `bpf` is none of them */
};

/* The map `counters`, one element. */
struct guard_counters {
	__u64 refused;
	__u64 reported; /* would have been refused */
	__u64 excepted; /* would have been, but for an exception */
	__u64 added;    /* devices that came into a group in use */
	__u64 records;  /* that were ever written */
};

enum guard_what {
	GUARD_REFUSED,
	GUARD_REPORTED, /* would have been refused */
	GUARD_ADDED,    /* a device came into a group in use */
};

/* The map `records`: the element of the N-th is N - 1 modulo GUARD_RECORDS. */
struct guard_record {
	__u64 number; /* from 1; 0: being written */
	__u64 time;   /* CLOCK_BOOTTIME, in ns */
	__u32 what;   /* enum guard_what */
	__u32 call;   /* the ioctl, 0: none */
	__u32 pid;
	__u32 uid;
	__s32 group;
	__u32 unread;  /* the group could not be read to its end */
	__u32 missing; /* endpoints that do not satisfy the rule */
	__u32 zero;
	char comm[16];
	char device[GUARD_NAME];   /* "": the call was for the group as a whole */
	char cgroup[GUARD_CGROUP]; /* its path, cut */
	char members[GUARD_MEMBERS][GUARD_NAME];
};

/* What reading the pin `attached` gives: who has what attached against the rule. */
struct guard_attached {
	__u32 pid;
	__s32 group;
	__u32 unread;
	__u32 missing;
	char comm[16];
	char device[GUARD_NAME]; /* "": by its group */
};

/* VFIO's calls that are judged (linux/vfio.h). */
#define GUARD_SET_IOMMU     0x3b66 /* VFIO_SET_IOMMU */
#define GUARD_SET_CONTAINER 0x3b68 /* VFIO_GROUP_SET_CONTAINER */
#define GUARD_GET_DEVICE    0x3b6a /* VFIO_GROUP_GET_DEVICE_FD */
#define GUARD_ATTACH        0x3b77 /* VFIO_DEVICE_ATTACH_IOMMUFD_PT */

/*
 * The key of the map `cgroups`: the exceptions' paths as a tree, so that one below an excepted
 * one is found from the root on.
 */
struct guard_cgroup {
	__u32 parent; /* the element of the directory that it is in, 0: the root */
	char name[GUARD_CGROUP_NAME];
};

struct guard_cgroup_node {
	__u32 id; /* for its children */
	__u32 excepted;
};

/* The map `proof`, one element: of the command's own calls. */
struct guard_proof {
	__u32 pid;   /* who makes them, 0: nobody */
	__u32 nonce; /* their argument: should the command die, who gets its pid makes no such calls
		      */
	__u32 judged; /* how many were */
	__u32 kind;   /* enum guard_kind of the last one's file */
};

enum guard_kind {
	GUARD_KIND_NONE,
	GUARD_KIND_DEVICE,
	GUARD_KIND_GROUP,
	GUARD_KIND_CONTAINER,
};

#endif /* GUARD_SHARED_H */
