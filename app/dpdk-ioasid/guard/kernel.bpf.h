/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GUARD_KERNEL_BPF_H
#define GUARD_KERNEL_BPF_H

/*
 * Of the kernel's structures what the guard reads. Where the members are in the running kernel
 * is found when it is loaded, from the kernel's own types (BTF); their names are those of Linux
 * 6.1 to 7.3.
 */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct kobject {
	const char *name;
};

struct bus_type {
	const char *name;
};

struct device {
	struct kobject kobj;
	struct device *parent;
	struct bus_type *bus;
	void *driver_data;
	struct iommu_group *iommu_group;
};

struct pci_dev {
	unsigned int class;
	__u8 hdr_type;
	struct device dev;
};

/* drivers/iommu/iommu.c */
struct iommu_group {
	struct list_head devices;
	int id;
	unsigned int owner_cnt;
	void *owner;
};

struct group_device {
	struct list_head list;
	struct device *dev;
};

/* drivers/iommu/iommufd */
struct iommufd_device {
	struct iommufd_ctx *ictx;
};

/* include/linux/vfio.h, drivers/vfio/vfio.h */
struct vfio_device {
	struct device *dev;
	struct device device;
	struct iommufd_device *iommufd_device;
	__u8 iommufd_attached : 1;
};

/* The private data of a device's file, from 6.6 on. */
struct vfio_device_file {
	struct vfio_device *device;
	struct vfio_group *group;
};

struct vfio_group {
	struct iommu_group *iommu_group;
	struct vfio_container *container;
	struct list_head container_next;
	struct iommufd_ctx *iommufd;
};

struct vfio_container {
	struct list_head group_list;
};

struct file_operations {
	void *unlocked_ioctl;
};

struct file {
	const struct file_operations *f_op;
	void *private_data;
};

struct kernfs_node {
	const char *name;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[1];
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct task_struct {
	int tgid;
	__u64 start_time;
	char comm[16];
	const struct cred *cred;
	struct css_set *cgroups;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	unsigned int fd;
	struct file *file;
};

#pragma clang attribute pop

#endif /* GUARD_KERNEL_BPF_H */
