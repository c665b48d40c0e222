/* SPDX-License-Identifier: BSD-3-Clause */

/* What the system uses a device for: the kernel's own answers where it gives one. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <libmount.h>

#include "machine/files.h"
#include "machine/model.h"
#include "machine/netns.h"
#include "machine/xdp.h"

struct use *
use_add(struct device *device, enum use_kind kind, enum answer is, const char *name,
	const char *detail)
{
	struct use *use;

	device->uses = list_grow(device->uses, device->nuses, sizeof(*device->uses));
	use = &device->uses[device->nuses++];
	use->kind = kind;
	use->is = is;
	snprintf(use->name, sizeof(use->name), "%.63s", name);
	snprintf(use->detail, sizeof(use->detail), "%.255s", detail);
	machine_printable(use->name);
	machine_printable(use->detail);
	return use;
}

static bool
is(const struct child *child, const char *subsystem)
{
	return strcmp(child->subsystem, subsystem) == 0;
}

/* ---- disks */

static bool
is_of_disk(struct libmnt_fs *fs, const struct child *disk)
{
	const char *source = mnt_fs_get_srcpath(fs);
	const dev_t number = makedev(disk->major, disk->minor);

	if (disk->major != 0 && mnt_fs_get_devno(fs) == number)
		return true;
	return source != NULL && strncmp(source, "/dev/", 5) == 0 &&
	       strcmp(source + 5, disk->name) == 0;
}

/* Of a table of mounts or of swap areas the first that is on the disk. */
static bool
add_from_table(struct device *device, struct libmnt_table *table, const struct child *disk,
	       enum use_kind kind)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	bool found = false;

	while (table != NULL && iter != NULL && !found &&
	       mnt_table_next_fs(table, iter, &fs) == 0) {
		const char *target = mnt_fs_get_target(fs);

		found = is_of_disk(fs, disk);
		if (found)
			use_add(device, kind, YES, disk->name, target != NULL ? target : "");
	}
	mnt_free_iter(iter);
	return found;
}

static bool
add_mount(struct device *device, const struct child *disk)
{
	const struct path mounts = machine_path("/proc/self/mountinfo");
	struct libmnt_table *table = mnt_new_table_from_file(mounts.s);
	bool found = add_from_table(device, table, disk, USE_MOUNTED);

	mnt_unref_table(table);
	return found;
}

static bool
add_swap(struct device *device, const struct child *disk)
{
	const struct path swaps = machine_path("/proc/swaps");
	struct libmnt_table *table = mnt_new_table();
	bool found = table != NULL && mnt_table_parse_swaps(table, swaps.s) == 0 &&
		     add_from_table(device, table, disk, USE_SWAP);

	mnt_unref_table(table);
	return found;
}

static bool
add_part(struct device *device, const struct child *disk)
{
	const struct path holders = machine_path("/sys/class/block/%s/holders", disk->name);
	char **names;
	int n = machine_list(&holders, &names);

	if (n > 0)
		use_add(device, USE_PART, YES, disk->name, names[0]);
	machine_list_free(names, n);
	return n > 0;
}

/*
 * A file system, a pool, a RAID, swap and whoever is careful opens a disk exclusively: the
 * kernel then lets nobody else, from wherever it is asked (block/bdev.c, bd_prepare_to_claim).
 */
static void
add_claim(struct device *device, const struct child *disk)
{
	int fd;

	if (machine_is_saved()) {
		use_add(device, USE_CLAIMED, UNKNOWN, disk->name, "");
		return;
	}
	fd = open(disk->node, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno != ENOMEDIUM && errno != ENXIO)
		use_add(device, USE_CLAIMED, errno == EBUSY ? YES : UNKNOWN, disk->name, "");
}

static void
add_disks(struct device *device)
{
	bool used = false;

	for (unsigned int i = 0; i < device->nchildren; i++) {
		const struct child *disk = &device->children[i];

		if (is(disk, "block"))
			used = add_mount(device, disk) || add_swap(device, disk) ||
			       add_part(device, disk) || used;
	}
	for (unsigned int i = 0; i < device->nchildren && !used; i++) {
		const struct child *disk = &device->children[i];

		/* One of the paths of NVMe has no node, and cannot be opened. */
		if (is(disk, "block") && disk->major != 0)
			add_claim(device, disk);
	}
}

/* ---- network interfaces */

/* Every interface that is up has a link-local address: that is no use. */
static bool
text_of(const struct sockaddr *a, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *in6 = (const void *)a;
	const struct sockaddr_in *in = (const void *)a;

	if (a == NULL)
		return false;
	if (a->sa_family == AF_INET)
		return inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN) != NULL;
	return a->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) &&
	       inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN) != NULL;
}

static void
add_address(struct device *device, const struct child *interface)
{
	char text[INET6_ADDRSTRLEN];
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all) < 0) {
		use_add(device, USE_ADDRESS, UNKNOWN, interface->name, "");
		return;
	}
	for (struct ifaddrs *a = all; !found && a != NULL; a = a->ifa_next)
		found = strcmp(a->ifa_name, interface->name) == 0 && text_of(a->ifa_addr, text);
	freeifaddrs(all);
	if (found)
		use_add(device, USE_ADDRESS, YES, interface->name, text);
}

static void
add_upper(struct device *device, const struct child *interface)
{
	const struct path dir = machine_path("/sys/class/net/%s", interface->name);
	char **names;
	int n = machine_list(&dir, &names);

	for (int i = 0; i < n; i++)
		if (strncmp(names[i], "upper_", 6) == 0)
			use_add(device, USE_UPPER, YES, interface->name, names[i] + 6);
	machine_list_free(names, n);
}

/* Another machine's interfaces have other numbers. */
static void
add_xdp(struct device *device, const struct child *interface)
{
	const enum answer attached = machine_is_saved() ? NO : xdp_is_attached(interface->ifindex);

	if (attached != NO)
		use_add(device, USE_XDP, attached, interface->name, "");
}

/* Drivers that make no interface, since a program has the device. */
static bool
is_for_programs(const struct device *device)
{
	static const char *const drivers[] = { "igb_uio", "uio_pci_generic", "pci-stub",
					       "pciback" };

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strcmp(device->member.driver, drivers[i]) == 0)
			return true;
	return ioasid_is_on_vfio(&device->member);
}

/* sysfs shows the interfaces of its own network namespace only. */
static void
add_elsewhere(struct device *device)
{
	const unsigned int class = device->member.class_code >> 8;
	char where[128] = "";

	if ((class != 0x0200 && class != 0x0280) || device->member.driver[0] == '\0' ||
	    is_for_programs(device))
		return;
	for (unsigned int i = 0; i < device->nchildren; i++)
		if (is(&device->children[i], "net"))
			return;
	if (netns_find(device->member.bdf, where, sizeof(where)))
		use_add(device, USE_ELSEWHERE, YES, device->member.driver, where);
	else
		use_add(device, USE_ELSEWHERE, UNKNOWN, device->member.driver, "");
}

/* ---- others */

static bool
is_console(const char *tty)
{
	const struct path path = machine_path("/proc/consoles");
	FILE *f = fopen(path.s, "re");
	char line[128], name[64];
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%63s", name) == 1 && strcmp(name, tty) == 0;
	if (f != NULL)
		fclose(f);
	return found;
}

static void
add_other(struct device *device, const struct child *child)
{
	/* The kernel's own users of RDMA show nowhere. */
	if (is(child, "infiniband"))
		use_add(device, USE_RDMA, UNKNOWN, child->name, "");
	if (is(child, "drm") && child->connected == YES)
		use_add(device, USE_DISPLAY, YES, child->name, "");
	if (is(child, "tty") && is_console(child->name))
		use_add(device, USE_CONSOLE, YES, child->name, "");
	/* "1-2" is a device on bus 1, "usb1" the bus, "1-2:1.0" a part of it. */
	if (is(child, "usb") && strchr(child->name, '-') != NULL &&
	    strchr(child->name, ':') == NULL)
		use_add(device, USE_USB, YES, child->name, "");
}

void
use_read(struct device *device)
{
	if (device->member.bridge)
		return;
	add_disks(device);
	for (unsigned int i = 0; i < device->nchildren; i++) {
		const struct child *child = &device->children[i];

		if (is(child, "net")) {
			add_address(device, child);
			add_upper(device, child);
			add_xdp(device, child);
		}
		add_other(device, child);
	}
	add_elsewhere(device);
	if (device->boot_display == YES)
		use_add(device, USE_DISPLAY, YES, "the firmware's", "");
}
