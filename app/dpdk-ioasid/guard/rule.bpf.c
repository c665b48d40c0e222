/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */

/*
 * The group rule in the kernel, for every program: VFIO's calls by which a device comes to a
 * page table are judged before the kernel acts on them. What is read are the kernel's own
 * structures, so devices that were bound before this was loaded count as well.
 *
 * Nothing is locked: a group that changes meanwhile ends the walk early, which refuses.
 */

#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#include "kernel.bpf.h"
#include "shared.h"

/* As dual-licensed, since the kernel's helpers ask for it. */
const char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PCI_CLASS_HOST_BRIDGE 0x0600

/* ---- what the command sets, before it freezes them, and what it reads */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_policy);
} policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, char[GUARD_NAME]);
	__type(value, __u32);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __s32);
	__type(value, __u32);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} uids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct guard_cgroup);
	__type(value, struct guard_cgroup_node);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_RECORDS);
	__type(key, __u32);
	__type(value, struct guard_record);
} records SEC(".maps");

/* Which processes have been reported, and for which group: by its calls one attempt is several. */
struct attempt {
	__u64 started;
	__u32 tgid;
	__s32 group;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct attempt);
	__type(value, __u32);
} attempts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_proof);
} proof SEC(".maps");

static const __u32 zero;

/*
 * Zero, too, but the verifier does not know it: a counter whose values it knew would make each
 * turn of a loop a case of its own to look at.
 */
static volatile __u32 unknown_zero;

/* ---- reading the kernel's structures: 0, or the failure */

#define READ(to, from, member)                                                                     \
	({                                                                                         \
		/* Of its own: what leads to it may be ours, which the kernel's types do not have. \
		 */                                                                                \
		typeof(from) from_ = (from);                                                       \
		bpf_core_read(&(to), sizeof(to), &from_->member);                                  \
	})

/* The start of a function's name: what tells VFIO's from others and from each other. */
union start {
	char text[16];
	__u64 words[2];
};

static const union start device_start = { .text = "vfio_device_fops" };
static const union start group_start = { .text = "vfio_group_fops_" };
static const union start container_start = { .text = "vfio_fops_unl_io" };

static bool
starts_with(const union start *name, const union start *start)
{
	return name->words[0] == start->words[0] && name->words[1] == start->words[1];
}

/* The names of VFIO's functions, since their addresses change with each load of the module. */
static enum guard_kind
kind_of(struct file *file)
{
	const struct file_operations *ops;
	char text[sizeof(union start) + 8] = "";
	union start name;
	__u64 function;

	if (READ(ops, file, f_op) != 0 || READ(function, ops, unlocked_ioctl) != 0)
		return GUARD_KIND_NONE;
	if (BPF_SNPRINTF(text, sizeof(text), "%ps", function) < 0)
		return GUARD_KIND_NONE;
	__builtin_memcpy(&name, text, sizeof(name));
	if (starts_with(&name, &device_start))
		return GUARD_KIND_DEVICE;
	if (starts_with(&name, &group_start))
		return GUARD_KIND_GROUP;
	if (starts_with(&name, &container_start))
		return GUARD_KIND_CONTAINER;
	return GUARD_KIND_NONE;
}

static bool
is_on_pci(struct device *dev)
{
	struct bus_type *bus;
	const char *name;
	char start[4];

	return READ(bus, dev, bus) == 0 && bus != NULL && READ(name, bus, name) == 0 &&
	       bpf_probe_read_kernel(start, sizeof(start), name) == 0 && start[0] == 'p' &&
	       start[1] == 'c' && start[2] == 'i' && start[3] == '\0';
}

/* Bridges, and host bridges that show as endpoints, are part of the way to the memory. */
static bool
is_exempt(struct device *dev)
{
	struct pci_dev *pci = (void *)dev - bpf_core_field_offset(struct pci_dev, dev);
	unsigned int class;
	__u8 header;

	if (!is_on_pci(dev) || READ(header, pci, hdr_type) != 0 || READ(class, pci, class) != 0)
		return false;
	return header != 0 || class >> 8 == PCI_CLASS_HOST_BRIDGE;
}

/* What a VFIO driver has made of the device; NULL: it is on none. Both point to each other. */
static struct vfio_device *
vfio_of(struct device *dev)
{
	struct device *back, *parent;
	struct vfio_device *vfio;

	if (READ(vfio, dev, driver_data) != 0 || vfio == NULL)
		return NULL;
	if (READ(back, vfio, dev) != 0 || READ(parent, vfio, device.parent) != 0)
		return NULL;
	return back == dev && parent == dev ? vfio : NULL;
}

/* The iommufd that the device has joined, NULL: none. */
static struct iommufd_ctx *
joined(struct vfio_device *vfio)
{
	struct iommufd_device *idev;
	struct iommufd_ctx *ictx;

	if (!bpf_core_field_exists(struct vfio_device, iommufd_device) ||
	    !bpf_core_type_exists(struct iommufd_device))
		return NULL;
	if (READ(idev, vfio, iommufd_device) != 0 || idev == NULL || READ(ictx, idev, ictx) != 0)
		return NULL;
	return ictx;
}

static void
name_of(struct device *dev, char name[GUARD_NAME])
{
	const char *text;

	__builtin_memset(name, 0, GUARD_NAME);
	if (READ(text, dev, kobj.name) == 0)
		bpf_probe_read_kernel_str(name, GUARD_NAME, text);
}

/* ---- the rule */

/* A walk through a group. */
struct look {
	struct list_head *head;
	struct list_head *next;
	struct device *self;         /* NULL: the call is for all of the group */
	struct iommufd_ctx *ictx;    /* that it has joined, NULL: by the groups of old */
	struct guard_record *record; /* for the members' names, or NULL */
	__s32 group;
	__u32 rule;
	__u32 endpoints;
	__u32 missing;
	bool whole; /* it came back to the head */
};

static bool
is_excepted_device(struct device *dev)
{
	char name[GUARD_NAME];

	name_of(dev, name);
	return bpf_map_lookup_elem(&devices, name) != NULL;
}

static bool
satisfies(struct look *look, struct device *dev)
{
	struct vfio_device *vfio;

	look->endpoints++;
	if (dev == look->self)
		return true;
	if (look->rule == GUARD_ALONE || (look->rule == GUARD_JOINED && look->ictx == NULL))
		return look->self == NULL && look->endpoints == 1;
	vfio = vfio_of(dev);
	return vfio != NULL && (look->rule == GUARD_BOUND || joined(vfio) == look->ictx);
}

static void
miss(struct look *look, struct device *dev)
{
	struct guard_record *record = look->record;
	const __u32 n = look->missing++;

	if (record != NULL && n < GUARD_MEMBERS)
		name_of(dev, record->members[n]);
}

static long
look_at_next(__u64 number, void *arg)
{
	struct look *look = arg;
	struct group_device *member =
		(void *)look->next - bpf_core_field_offset(struct group_device, list);
	struct device *dev;

	look->whole = look->next == look->head;
	if (look->whole || READ(dev, member, dev) != 0 || READ(look->next, look->next, next) != 0)
		return 1;
	if (!is_exempt(dev) && !is_excepted_device(dev) && !satisfies(look, dev))
		miss(look, dev);
	return 0;
}

/* Whether the group satisfies the rule. */
static __noinline bool
look_at(struct look *look, struct iommu_group *group)
{
	look->head = (void *)group + bpf_core_field_offset(struct iommu_group, devices);
	look->endpoints = unknown_zero;
	look->missing = unknown_zero;
	look->whole = false;
	if (READ(look->group, group, id) != 0 || READ(look->next, look->head, next) != 0)
		return false;
	bpf_loop(GUARD_GROUP_SIZE + 1, look_at_next, look, 0);
	return look->whole && look->missing == 0;
}

/* ---- exceptions for who calls */

static struct cgroup *
ancestor(struct cgroup *cgroup, int level)
{
	struct cgroup *found;
	const void *ancestors = (void *)cgroup + bpf_core_field_offset(struct cgroup, ancestors);

	if (bpf_probe_read_kernel(&found, sizeof(found), ancestors + level * sizeof(found)) != 0)
		return NULL;
	return found;
}

/* Of the one hierarchy (v2); -1: it cannot be told. */
static int
cgroup_of(struct task_struct *task, struct cgroup **cgroup)
{
	struct css_set *set;
	int level;

	if (READ(set, task, cgroups) != 0 || READ(*cgroup, set, dfl_cgrp) != 0 ||
	    READ(level, *cgroup, level) != 0)
		return -1;
	return level;
}

static long
cgroup_name(struct cgroup *cgroup, char *name, __u32 size)
{
	struct kernfs_node *kn;
	const char *text;

	if (cgroup == NULL || READ(kn, cgroup, kn) != 0 || READ(text, kn, name) != 0)
		return -1;
	return bpf_probe_read_kernel_str(name, size, text);
}

/* A walk from a hierarchy's root down to a process' cgroup. (The stack is small.) */
struct descent {
	struct cgroup *cgroup;
	bool excepted;
	struct guard_cgroup key; /* of the next directory */
};

/* The exceptions' paths are a tree: as long as it goes on, this does. */
static long
look_at_cgroup(__u64 number, void *arg)
{
	struct descent *descent = arg;
	struct guard_cgroup *key = &descent->key;
	const struct guard_cgroup_node *node;

	__builtin_memset(key->name, 0, sizeof(key->name));
	if (cgroup_name(ancestor(descent->cgroup, number + 1), key->name, sizeof(key->name)) < 0)
		return 1;
	node = bpf_map_lookup_elem(&cgroups, key);
	if (node == NULL)
		return 1;
	descent->excepted = node->excepted;
	key->parent = node->id;
	return descent->excepted;
}

static __noinline bool
is_excepted_cgroup(struct task_struct *task)
{
	struct descent descent = { .key.parent = unknown_zero };
	const int level = cgroup_of(task, &descent.cgroup);

	if (level > 0)
		bpf_loop(level < GUARD_CGROUP_DEPTH ? level : GUARD_CGROUP_DEPTH, look_at_cgroup,
			 &descent, 0);
	return descent.excepted;
}

static __u32
uid_of(struct task_struct *task)
{
	const struct cred *cred;
	__u32 uid;

	/* Nobody's; an exception for root there is none. */
	if (READ(cred, task, cred) != 0 || READ(uid, cred, uid.val) != 0)
		return 0;
	return uid;
}

static bool
is_excepted(const struct look *look, struct task_struct *task)
{
	const __u32 uid = uid_of(task);

	return bpf_map_lookup_elem(&groups, &look->group) != NULL ||
	       bpf_map_lookup_elem(&uids, &uid) != NULL || is_excepted_cgroup(task);
}

/* ---- records */

/* The same walk, for the path. */
struct path_walk {
	struct cgroup *cgroup;
	struct guard_record *record;
	__u32 end; /* of the path so far */
};

static long
write_cgroup(__u64 number, void *arg)
{
	struct path_walk *walk = arg;
	struct guard_record *record = walk->record;
	const __u32 end = walk->end;
	long size;

	if (record == NULL || end > GUARD_CGROUP - GUARD_CGROUP_NAME - 1)
		return 1;
	record->cgroup[end] = '/';
	size = cgroup_name(ancestor(walk->cgroup, number + 1), &record->cgroup[end + 1],
			   GUARD_CGROUP_NAME);
	if (size < 1 || size > GUARD_CGROUP_NAME)
		return 1;
	walk->end = end + size;
	return 0;
}

static void
record_cgroup(struct guard_record *record, struct task_struct *task)
{
	struct path_walk walk = { .record = record, .end = unknown_zero };
	const int level = cgroup_of(task, &walk.cgroup);

	if (level > 0)
		bpf_loop(level < GUARD_CGROUP_DEPTH ? level : GUARD_CGROUP_DEPTH, write_cgroup,
			 &walk, 0);
}

/* Whoever reads it meanwhile sees that its number is not what it was. */
static struct guard_record *
record_begin(struct guard_counters *all, __u32 what, __u32 call, __u64 *number)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct guard_record *record;
	__u32 place;

	*number = __sync_fetch_and_add(&all->records, 1);
	place = *number % GUARD_RECORDS;
	record = bpf_map_lookup_elem(&records, &place);
	if (record == NULL)
		return NULL;
	__builtin_memset(record, 0, sizeof(*record));
	record->time = bpf_ktime_get_boot_ns();
	record->what = what;
	record->call = call;
	record->pid = bpf_get_current_pid_tgid() >> 32;
	record->uid = uid_of(task);
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	record_cgroup(record, task);
	return record;
}

static void
record_end(struct guard_record *record, __u64 number)
{
	barrier();
	record->number = number + 1;
}

static __noinline int
record_call(struct look *look, struct iommu_group *group, __u32 call, bool refused)
{
	struct guard_counters *all = bpf_map_lookup_elem(&counters, &zero);
	struct guard_record *record;
	__u64 number;

	if (all == NULL)
		return 0;
	__sync_fetch_and_add(refused ? &all->refused : &all->reported, 1);
	record = record_begin(all, refused ? GUARD_REFUSED : GUARD_REPORTED, call, &number);
	if (record == NULL)
		return 0;
	look->record = record;
	look_at(look, group);
	record->group = look->group;
	record->missing = look->missing;
	record->unread = !look->whole;
	if (look->self != NULL)
		name_of(look->self, record->device);
	record_end(record, number);
	return 0;
}

/* ---- the judgement of a call */

static __noinline bool
is_first_report(const struct look *look, struct task_struct *task)
{
	struct attempt attempt = { .group = look->group };
	const __u32 one = 1;

	if (READ(attempt.tgid, task, tgid) != 0 || READ(attempt.started, task, start_time) != 0)
		return true;
	return bpf_map_update_elem(&attempts, &attempt, &one, BPF_NOEXIST) == 0;
}

/*
 * As a function that is not static the verifier looks at it by itself, once for all that call it:
 * it has no pointers among its arguments then. Other than 0: refused.
 */
__noinline int
judge_group(__u64 group_address, __u64 self, __u64 ictx, __u32 call)
{
	struct iommu_group *group = (void *)group_address;
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct guard_policy *set = bpf_map_lookup_elem(&policy, &zero);
	struct guard_counters *all = bpf_map_lookup_elem(&counters, &zero);
	struct look look = { .self = (void *)self, .ictx = (void *)ictx };

	if (set == NULL || all == NULL)
		return 1;
	look.rule = set->rule;
	if (look_at(&look, group))
		return 0;
	if (is_excepted(&look, task)) {
		__sync_fetch_and_add(&all->excepted, 1);
		return 0;
	}
	if (!set->report_only || is_first_report(&look, task))
		record_call(&look, group, call, !set->report_only);
	return !set->report_only;
}

/* By a device's own file. The kernel gives no group to what no IOMMU is behind. */
static int
judge_device(struct file *file)
{
	struct vfio_device_file *opened;
	struct vfio_device *vfio;
	struct iommu_group *group;
	struct device *dev;

	if (READ(opened, file, private_data) != 0 || READ(vfio, opened, device) != 0 ||
	    READ(dev, vfio, dev) != 0 || READ(group, dev, iommu_group) != 0)
		return -EPERM;
	if (group == NULL)
		return 0;
	return judge_group((__u64)group, (__u64)dev, (__u64)joined(vfio), GUARD_ATTACH) != 0
		       ? -EPERM
		       : 0;
}

static int
judge_vfio_group(struct vfio_group *vfio, __u32 call)
{
	struct iommu_group *group;

	if (READ(group, vfio, iommu_group) != 0)
		return -EPERM;
	if (group == NULL)
		return 0;
	return judge_group((__u64)group, 0, 0, call) != 0 ? -EPERM : 0;
}

static int
judge_group_file(struct file *file, __u32 call)
{
	struct vfio_group *vfio;

	if (READ(vfio, file, private_data) != 0)
		return -EPERM;
	return judge_vfio_group(vfio, call);
}

/* A walk through a container's groups. */
struct container_walk {
	struct list_head *head;
	struct list_head *next;
	int verdict; /* as long as it is not at its end: no */
};

static long
judge_next_group(__u64 number, void *arg)
{
	struct container_walk *walk = arg;
	struct vfio_group *vfio =
		(void *)walk->next - bpf_core_field_offset(struct vfio_group, container_next);

	if (walk->next == walk->head) {
		walk->verdict = 0;
		return 1;
	}
	if (judge_vfio_group(vfio, GUARD_SET_IOMMU) != 0)
		return 1;
	return READ(walk->next, walk->next, next) != 0;
}

static int
judge_container(struct file *file)
{
	struct container_walk walk = { .verdict = -EPERM };
	void *container;

	if (READ(container, file, private_data) != 0 || container == NULL)
		return 0;
	walk.head = container + bpf_core_field_offset(struct vfio_container, group_list);
	if (READ(walk.next, walk.head, next) != 0)
		return -EPERM;
	bpf_loop(GUARD_GROUP_SIZE + 1, judge_next_group, &walk, 0);
	return walk.verdict;
}

/* The command's own call, made to see that it is judged and that the judgement counts. */
static bool
is_proof(struct file *file, unsigned long arg)
{
	struct guard_proof *wanted = bpf_map_lookup_elem(&proof, &zero);

	if (wanted == NULL || wanted->pid == 0 || (__u32)arg != wanted->nonce ||
	    wanted->pid != bpf_get_current_pid_tgid() >> 32)
		return false;
	wanted->kind = kind_of(file);
	__sync_fetch_and_add(&wanted->judged, 1);
	return true;
}

/* Before all else: most calls are none of VFIO's, and of VFIO's most are none of these. */
static int
judge(struct file *file, unsigned int call, unsigned long arg)
{
	if ((call & ~0xffu) != (GUARD_ATTACH & ~0xffu))
		return 0;
	if (call != GUARD_ATTACH && call != GUARD_SET_CONTAINER && call != GUARD_SET_IOMMU &&
	    call != GUARD_GET_DEVICE)
		return 0;
	if (is_proof(file, arg))
		return -EPERM;
	switch (kind_of(file)) {
	case GUARD_KIND_DEVICE:
		if (bpf_core_type_exists(struct vfio_device_file) && call == GUARD_ATTACH)
			return judge_device(file);
		return 0;
	case GUARD_KIND_GROUP:
		if (call == GUARD_SET_CONTAINER || call == GUARD_GET_DEVICE)
			return judge_group_file(file, call);
		return 0;
	case GUARD_KIND_CONTAINER:
		return call == GUARD_SET_IOMMU ? judge_container(file) : 0;
	default:
		return 0;
	}
}

/* ---- where the kernel asks: `_compat` is how 32-bit programs come */

SEC("lsm/file_ioctl")
int
BPF_PROG(lsm_ioctl, struct file *file, unsigned int call, unsigned long arg, int ret)
{
	return ret != 0 ? ret : judge(file, call, arg);
}

SEC("lsm/file_ioctl_compat")
int
BPF_PROG(lsm_ioctl_compat, struct file *file, unsigned int call, unsigned long arg, int ret)
{
	return ret != 0 ? ret : judge(file, call, arg);
}

SEC("fmod_ret/security_file_ioctl")
int
BPF_PROG(fmod_ioctl, struct file *file, unsigned int call, unsigned long arg, int ret)
{
	return ret != 0 ? ret : judge(file, call, arg);
}

SEC("fmod_ret/security_file_ioctl_compat")
int
BPF_PROG(fmod_ioctl_compat, struct file *file, unsigned int call, unsigned long arg, int ret)
{
	return ret != 0 ? ret : judge(file, call, arg);
}

/* ---- what can only be told: who comes into a group in use */

static bool
is_in_use(struct iommu_group *group)
{
	unsigned int count;
	void *owner;

	/* Without an owner it is the kernel's own drivers that use it. */
	return group != NULL && READ(count, group, owner_cnt) == 0 && count > 0 &&
	       READ(owner, group, owner) == 0 && owner != NULL;
}

SEC("tp_btf/add_device_to_group")
int
BPF_PROG(added, int number, struct device *dev)
{
	struct guard_counters *all = bpf_map_lookup_elem(&counters, &zero);
	struct guard_record *record;
	struct iommu_group *group;
	__u64 n;

	if (all == NULL || READ(group, dev, iommu_group) != 0 || !is_in_use(group) ||
	    is_exempt(dev))
		return 0;
	__sync_fetch_and_add(&all->added, 1);
	record = record_begin(all, GUARD_ADDED, 0, &n);
	if (record == NULL)
		return 0;
	record->group = number;
	name_of(dev, record->device);
	record_end(record, n);
	return 0;
}

/* ---- what is attached against the rule, by all processes' files */

static struct iommu_group *
attached_device(struct file *file, struct look *look)
{
	struct vfio_device_file *opened;
	struct vfio_device *vfio;
	struct iommu_group *group;

	if (!bpf_core_type_exists(struct vfio_device_file) ||
	    !bpf_core_field_exists(struct vfio_device, iommufd_attached) ||
	    READ(opened, file, private_data) != 0 || READ(vfio, opened, device) != 0 ||
	    BPF_CORE_READ_BITFIELD_PROBED(vfio, iommufd_attached) == 0 ||
	    READ(look->self, vfio, dev) != 0 || READ(group, look->self, iommu_group) != 0)
		return NULL;
	look->ictx = joined(vfio);
	return group;
}

static struct iommu_group *
attached_group(struct file *file)
{
	struct vfio_group *vfio;
	struct iommu_group *group;
	void *container = NULL, *iommufd = NULL;

	if (READ(vfio, file, private_data) != 0 || READ(group, vfio, iommu_group) != 0)
		return NULL;
	if (bpf_core_field_exists(struct vfio_group, container))
		READ(container, vfio, container);
	if (bpf_core_field_exists(struct vfio_group, iommufd))
		READ(iommufd, vfio, iommufd);
	return container != NULL || iommufd != NULL ? group : NULL;
}

SEC("iter/task_file")
int
attached(struct bpf_iter__task_file *ctx)
{
	const struct guard_policy *set = bpf_map_lookup_elem(&policy, &zero);
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct guard_attached found = { 0 };
	struct iommu_group *group = NULL;
	struct look look = { 0 };
	enum guard_kind kind;

	if (set == NULL || task == NULL || file == NULL)
		return 0;
	kind = kind_of(file);
	if (kind == GUARD_KIND_DEVICE)
		group = attached_device(file, &look);
	else if (kind == GUARD_KIND_GROUP)
		group = attached_group(file);
	look.rule = set->rule;
	if (group == NULL || look_at(&look, group) || is_excepted(&look, task))
		return 0;
	READ(found.pid, task, tgid);
	READ(found.comm, task, comm);
	found.group = look.group;
	found.missing = look.missing;
	found.unread = !look.whole;
	if (look.self != NULL)
		name_of(look.self, found.device);
	bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
	return 0;
}
