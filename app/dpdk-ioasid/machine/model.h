/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MACHINE_MODEL_H
#define MACHINE_MODEL_H

/*
 * The machine, as far as it matters for DPDK's devices: read once, by machine_read(), from
 * sysfs, procfs and the nodes. Nothing in machine/ prints or judges; nothing above it reads.
 *
 * What could not be read is UNKNOWN, which is zero: nobody gets a "no" by forgetting.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard/shared.h"
#include "ioasid.h"

enum answer {
	UNKNOWN,
	NO,
	YES,
};

static inline enum answer
answer_of(bool yes)
{
	return yes ? YES : NO;
}

/* A text that is there (YES), is not (NO), or could not be read; then it is "". */
struct name {
	enum answer is;
	char s[128];
};

struct number {
	enum answer is;
	uint64_t n;
};

/* ---- nodes */

/* Why a node that is there may not be opened. */
enum denial {
	DENIED_NOT,
	DENIED_MODE,     /* its owner, group and mode say so */
	DENIED_UNMAPPED, /* these are nobody's in this user namespace */
	DENIED_OTHER,    /* although they allow it: a security module, a device cgroup */
};

struct node {
	enum answer there;
	enum answer may_open;
	enum denial denial;
	char path[128];
};

/* ---- what the system uses a device for */

enum use_kind {
	USE_MOUNTED,   /* name: the disk, detail: where */
	USE_SWAP,      /* name */
	USE_PART,      /* name, detail: of which device-mapper, md … */
	USE_CLAIMED,   /* name: opened exclusively by a file system, a pool, a program */
	USE_ADDRESS,   /* name: the interface, detail: its address */
	USE_UPPER,     /* name, detail: the bond, bridge … */
	USE_ELSEWHERE, /* name: the driver, detail: in which other network namespace its interface
			  is */
	USE_XDP,       /* name: the interface */
	USE_PACKET,    /* name: the interface, pid and detail: the process, 0: not seen */
	USE_RDMA,      /* name */
	USE_DISPLAY,   /* name */
	USE_CONSOLE,   /* name */
	USE_USB,       /* name: a device on the bus */
	USE_VF,        /* name: the virtual function */
	USE_HELD, /* pid, name: the process, detail: the node, or file in sysfs, that it has open */
};

struct use {
	enum use_kind kind;
	enum answer is; /* YES, or UNKNOWN: it could not be told */
	int pid;
	char name[64];
	char detail[256];
};

/* What hangs on a device: a disk, an interface, a VFIO cdev … */
struct child {
	char subsystem[32];
	char name[64];
	char node[128]; /* "/dev/sda"; "": it has none */
	unsigned int major, minor;
	unsigned int ifindex;  /* of a network interface */
	enum answer connected; /* of a display's output */
};

/* ---- devices, and the tree of links that they hang on */

/* Access Control Services of a port or a function (PCI Express 6.12). */
struct acs {
	enum answer has; /* the capability */
	uint16_t can;    /* what it controls, PCI_ACS_… */
	uint16_t on;
};

enum pci_header {
	HEADER_UNKNOWN,
	HEADER_ENDPOINT,
	HEADER_BRIDGE,
};

/* What DPDK has for a device, by its drivers' own tables. */
struct pmd {
	enum answer has;
	bool bifurcated; /* works on the kernel's driver, not on VFIO */
	const char *name;
};

struct group;

struct device {
	struct ioasid_member member; /* address, IDs, class, driver, cdev */
	uint16_t subsystem[2];       /* its vendor and device */
	struct name driver;
	enum answer has_group;       /* NO: the kernel gave it none */
	struct group *group;         /* NULL: none, or it cannot be read */
	const struct device *parent; /* the bridge that it is behind; NULL: a root bus */
	enum pci_header header;
	enum answer multifunction;
	enum answer downstream_port; /* a root port, or of a switch */
	struct acs acs;
	enum answer ats;
	enum answer removable; /* the kernel: behind a port that leads outside */
	struct number numa;
	struct name iommu;
	struct node cdev;
	struct pmd pmd;
	struct name override;         /* driver_override */
	enum answer virtio;           /* is a virtio device */
	enum answer virtio_driven;    /* … which a driver of the kernel's uses */
	enum answer access_platform;  /* … whose DMA the IOMMU translates */
	enum answer boot_display;     /* boot_vga */
	char physfn[IOASID_BDF_SIZE]; /* of a virtual function; "": it is none */
	unsigned int nvfs;            /* that exist */
	char (*vfs)[IOASID_BDF_SIZE];
	char class_name[128]; /* "Ethernet controller" */
	char id_name[256];    /* "Intel Corporation 82576 Gigabit Network Connection" */
	/* Only of what is wanted, or close to it: */
	bool looked_at;
	unsigned int nchildren;
	struct child *children;
	unsigned int nuses;
	struct use *uses;
};

struct group {
	unsigned int number;
	unsigned int nreserved;
	struct ioasid_reserved *reserved;
	struct name type;
	enum answer no_iommu; /* one of VFIO's own, without any protection */
	unsigned int nmembers;
	struct device **members;
};

/* ---- the rest of the machine */

struct user {
	bool root;
	enum answer namespaced; /* not the first user namespace: a rootless container */
	enum answer may_lock;   /* CAP_IPC_LOCK: RLIMIT_MEMLOCK does not matter */
	char name[64];
};

struct iommufd {
	struct node node;
	enum answer in_kernel; /* whether or not there is a node */
	enum answer loadable;  /* as a module that is not loaded */
	enum answer cdev, map_file, vf_token;
};

struct vfio {
	enum answer driver; /* vfio-pci is there */
	enum answer no_iommu;
	enum answer denylist; /* vfio-pci refuses what its list has */
};

struct iommu {
	char name[64];
	const char *type;
	unsigned int width; /* of addresses in bits, 0: unknown */
};

struct interrupts {
	enum answer remapped; /* isolated, in whatever way the architecture has */
	enum answer unsafe_allowed;
	const char *parameter; /* by which this kernel would allow it */
};

struct hugepages {
	int node; /* -1: the kernel knows no nodes */
	uint64_t size;
	uint64_t total, free;
};

struct hugetlbfs {
	char path[256];
	uint64_t size; /* of its pages, 0: unknown */
	unsigned int nfiles;
	uint64_t bytes;    /* that these hold */
	uint64_t unlocked; /* of these what no DPDK process has a lock on */
};

struct memory {
	unsigned int npages;
	struct hugepages *pages;
	uint64_t bytes;
	enum answer mounts_known;
	unsigned int nmounts;
	struct hugetlbfs *mounts;
	bool unlimited;
	uint64_t limit, hard_limit; /* RLIMIT_MEMLOCK, in bytes */
};

struct dpdk {
	char abi[16];
	char releases[64];
	char path[256];
};

struct programs {
	unsigned int ndpdks;
	struct dpdk *dpdks;
	enum answer plugin;
	char plugin_path[512];
	char plugin_abi[16];
};

/* Of `dpdk-ioasid guard` in the kernel. */
struct guard {
	enum answer there;
	bool broken; /* some of it is missing: what is there may be in force */
	bool report_only;
	enum guard_rule rule;
	unsigned int ndevices;
	char (*devices)[GUARD_NAME]; /* that it lets be, in whatever group */
	unsigned int ngroups;
	unsigned int *groups;
	unsigned int ncallers; /* users and cgroups that it does not judge */
};

struct machine {
	char kernel[128];
	unsigned int kernel_number; /* 0x060c of 6.12 */
	struct name acs_override;   /* of the kernel's command line */
	struct name vfio_ids;
	struct user user;
	struct iommufd iommufd;
	struct vfio vfio;
	unsigned int niommus;
	struct iommu *iommus;
	struct interrupts interrupts;
	struct memory memory;
	struct programs programs;
	struct guard guard;
	enum answer processes; /* all could be looked at */
	enum answer devices_known;
	unsigned int ndevices;
	struct device *devices; /* in the order of their addresses */
	unsigned int nstrangers;
	struct device **strangers; /* members of groups that are not on PCI */
	unsigned int ngroups;
	struct group **groups;
};

/*
 * Whether a device's uses and holders are wanted: looking for them opens disks, and takes
 * time. Its group is looked at, too, and the virtual functions of all.
 */
typedef bool (*wanted_fn)(const struct device *device, const void *arg);

/* Memory that cannot be had ends the program. */
struct machine *machine_read(wanted_fn wanted, const void *arg);
void machine_free(struct machine *machine);

struct device *machine_device(const struct machine *machine, const char *bdf);

/* ---- the parts of machine_read() */

void kernel_read(struct machine *machine);
void iommus_read(struct machine *machine);
void interrupts_read(struct machine *machine);
void memory_read(struct machine *machine);
void programs_read(struct machine *machine);
void guard_read(struct guard *guard);
void guard_clear(struct guard *guard);
void devices_read(struct machine *machine);
void groups_read(struct machine *machine);
void children_read(struct device *device);
/* Its uses, from all but processes and its virtual functions. */
void use_read(struct device *device);
/* What only the device itself knows, where nobody has it. */
void device_ask(const struct machine *machine, struct device *device);
struct use *use_add(struct device *device, enum use_kind kind, enum answer is, const char *name,
		    const char *detail);
/* Which processes have devices open that were looked at. */
void holders_read(struct machine *machine);
void node_read(struct node *node, const struct user *user, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* MACHINE_MODEL_H */
