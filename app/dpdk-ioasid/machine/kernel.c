/* SPDX-License-Identifier: BSD-3-Clause */

/* The kernel: what it can, what was switched on; and who asks. */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/files.h"
#include "machine/model.h"

#define CAP_IPC_LOCK 14
#define OVERFLOW_ID  65534 /* what an owner without a name in this user namespace shows as */

/* ---- who asks: Documentation/filesystems/proc.rst, user_namespaces(7) */

static void
user_read(struct user *user)
{
	const struct path status = machine_path("/proc/self/status");
	const struct path map = machine_path("/proc/self/uid_map");
	unsigned long long effective, first, outside, count;
	unsigned int uid = geteuid(), real;
	FILE *f = fopen(status.s, "re");
	const struct passwd *passwd;
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Uid: %u %u", &real, &uid) == 2)
			continue;
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			user->may_lock = answer_of(effective >> CAP_IPC_LOCK & 1);
	}
	if (f != NULL)
		fclose(f);
	user->root = uid == 0;
	if (machine_line(&map, line, sizeof(line)) == 0 &&
	    sscanf(line, "%llu %llu %llu", &first, &outside, &count) == 3)
		user->namespaced = answer_of(first != 0 || outside != 0 || count != UINT32_MAX);
	passwd = getpwuid(uid);
	if (passwd != NULL)
		snprintf(user->name, sizeof(user->name), "%s", passwd->pw_name);
	else
		snprintf(user->name, sizeof(user->name), "%u", uid);
	machine_printable(user->name);
}

static bool
mode_allows(const struct stat *st)
{
	const unsigned int rw = 06;

	if (geteuid() == st->st_uid)
		return (st->st_mode >> 6 & rw) == rw;
	if (group_member(st->st_gid))
		return (st->st_mode >> 3 & rw) == rw;
	return (st->st_mode & rw) == rw;
}

static enum denial
denial_of(const struct path *path, const struct user *user)
{
	struct stat st;

	if (stat(path->s, &st) < 0)
		return DENIED_OTHER;
	if (mode_allows(&st))
		return DENIED_OTHER;
	if (user->namespaced == YES && (st.st_uid == OVERFLOW_ID || st.st_gid == OVERFLOW_ID))
		return DENIED_UNMAPPED;
	return DENIED_MODE;
}

void
node_read(struct node *node, const struct user *user, const char *fmt, ...)
{
	struct path path;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(node->path, sizeof(node->path), fmt, ap);
	va_end(ap);
	path = machine_path("%s", node->path);
	if (access(path.s, F_OK) < 0) {
		node->there = errno == ENOENT ? NO : UNKNOWN;
		return;
	}
	node->there = YES;
	node->may_open = answer_of(machine_may_open(&path));
	if (node->may_open == NO)
		node->denial = denial_of(&path, user);
}

/* ---- the command line: Documentation/admin-guide/kernel-parameters.txt */

/* The value of a parameter, whose name the kernel takes with '-' and '_' alike. */
static struct name
argument(const char *line, const char *wanted)
{
	struct name value = { NO, "" };
	const size_t n = strlen(wanted);

	for (const char *word = line; *word != '\0'; word += strspn(word, " ")) {
		size_t length = strcspn(word, " "), i = 0;

		while (i < n && (word[i] == wanted[i] || (word[i] == '_' && wanted[i] == '-')))
			i++;
		if (i == n && word[n] == '=') {
			value.is = YES;
			snprintf(value.s, sizeof(value.s), "%.*s", (int)(length - n - 1),
				 word + n + 1);
		}
		word += length;
	}
	return value;
}

/* ---- iommufd and VFIO */

static enum answer
there(const char *path)
{
	const struct path full = machine_path("%s", path);

	if (access(full.s, F_OK) == 0)
		return YES;
	return errno == ENOENT ? NO : UNKNOWN;
}

static enum answer
has_module(const struct machine *machine, const char *name)
{
	struct path pattern =
		machine_path("/lib/modules/%s/kernel/drivers/%s.ko*", machine->kernel, name);
	glob_t found;
	enum answer has = answer_of(glob(pattern.s, 0, NULL, &found) == 0);

	globfree(&found);
	return has;
}

/* What the kernel was built with, where distributions leave it. */
static enum answer
kernel_config(const struct machine *machine, const char *option)
{
	const struct path path = machine_path("/boot/config-%s", machine->kernel);
	FILE *f = fopen(path.s, "re");
	char line[256], want[64];
	enum answer found = NO;

	if (f == NULL)
		return UNKNOWN;
	snprintf(want, sizeof(want), "%s=y\n", option);
	while (found == NO && fgets(line, sizeof(line), f) != NULL)
		found = answer_of(strcmp(line, want) == 0);
	fclose(f);
	return found;
}

/* VFIO's character devices have this name in the list of all. */
static enum answer
in_proc_devices(const char *name)
{
	const struct path path = machine_path("/proc/devices");
	FILE *f = fopen(path.s, "re");
	enum answer found = NO;
	char line[128], word[64];

	if (f == NULL)
		return UNKNOWN;
	while (found == NO && fgets(line, sizeof(line), f) != NULL)
		found = answer_of(sscanf(line, "%*u %63s", word) == 1 && strcmp(word, name) == 0);
	fclose(f);
	return found;
}

/* A device on VFIO shows it, or the loaded module; else the kernel's configuration may. */
static enum answer
has_cdev(const struct machine *machine)
{
	struct path pattern = machine_path("/sys/class/vfio-dev/*/dev");
	struct path devices = machine_path("/sys/class/vfio-dev/*");
	enum answer has = UNKNOWN;
	glob_t found;

	if (glob(pattern.s, 0, NULL, &found) == 0)
		has = YES;
	globfree(&found);
	if (has == UNKNOWN && glob(devices.s, 0, NULL, &found) == 0) {
		has = NO;
		globfree(&found);
	}
	if (has == UNKNOWN && in_proc_devices("vfio-dev") == YES)
		has = YES;
	if (has == UNKNOWN && in_proc_devices("vfio") == YES)
		has = NO;
	return has != UNKNOWN ? has : kernel_config(machine, "CONFIG_VFIO_DEVICE_CDEV");
}

/*
 * Permissions are not all: a mount without device nodes, or a device cgroup. To open this node
 * does nothing yet.
 */
static void
try_to_open(struct node *node)
{
	const struct path path = machine_path("%s", node->path);
	int fd;

	if (node->there != YES || node->may_open != YES)
		return;
	fd = open(path.s, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return;
	}
	node->may_open = errno == EACCES || errno == EPERM ? NO : UNKNOWN;
	node->denial = DENIED_OTHER;
}

static enum answer
has_map_file(const struct node *node)
{
	const struct path path = machine_path("%s", node->path);
	struct ioasid_ctx *ctx;
	enum answer has;

	if (node->there != YES || ioasid_open(path.s, NULL, &ctx) < 0)
		return UNKNOWN;
	has = answer_of(ioasid_has_map_file(ctx));
	ioasid_close(ctx);
	return has;
}

static void
iommufd_read(struct machine *machine)
{
	struct iommufd *iommufd = &machine->iommufd;

	node_read(&iommufd->node, &machine->user, "/dev/ioasid");
	if (iommufd->node.there != YES)
		node_read(&iommufd->node, &machine->user, "/dev/iommu");
	try_to_open(&iommufd->node);
	/* A container may have been given no node of what the kernel has. */
	iommufd->in_kernel = iommufd->node.there;
	if (iommufd->in_kernel != YES)
		iommufd->in_kernel = there("/sys/class/misc/iommu");
	if (iommufd->in_kernel != YES)
		iommufd->in_kernel = there("/sys/module/iommufd");
	iommufd->loadable = has_module(machine, "iommu/iommufd/iommufd");
	iommufd->cdev = has_cdev(machine);
	iommufd->map_file = has_map_file(&iommufd->node);
	if (iommufd->in_kernel == YES && machine->kernel_number != 0)
		iommufd->vf_token = answer_of(machine->kernel_number >= 0x0611);
}

/* drivers/vfio/pci/vfio_pci.c: the list is in force unless this parameter says no. */
static enum answer
has_denylist(const char *line)
{
	const struct path off = machine_path("/sys/module/vfio_pci/parameters/disable_denylist");
	const enum answer flag = machine_flag(&off);

	if (flag != UNKNOWN)
		return answer_of(flag == NO);
	return answer_of(argument(line, "vfio-pci.disable-denylist").is != YES);
}

static void
vfio_read(struct vfio *vfio, const char *line)
{
	const struct path noiommu =
		machine_path("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");

	vfio->driver = there("/sys/bus/pci/drivers/vfio-pci");
	vfio->no_iommu = machine_exists(&noiommu) ? machine_flag(&noiommu) : NO;
	vfio->denylist = has_denylist(line);
}

void
kernel_read(struct machine *machine)
{
	const struct path release = machine_path("/proc/sys/kernel/osrelease");
	const struct path cmdline = machine_path("/proc/cmdline");
	unsigned int major = 0, minor = 0;
	char line[4096];

	machine_line(&release, machine->kernel, sizeof(machine->kernel));
	if (sscanf(machine->kernel, "%u.%u", &major, &minor) == 2)
		machine->kernel_number = major << 8 | (minor & 0xff);
	user_read(&machine->user);
	if (machine_line(&cmdline, line, sizeof(line)) == 0) {
		machine->acs_override = argument(line, "pcie-acs-override");
		machine->vfio_ids = argument(line, "vfio-pci.ids");
	}
	iommufd_read(machine);
	vfio_read(&machine->vfio, line);
}
