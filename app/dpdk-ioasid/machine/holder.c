/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which processes have devices open: by their nodes, of whatever name (a container has its own),
 * by their files in sysfs, as UIO's users do, or by packet sockets on their interfaces. One walk
 * over /proc for all devices.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "machine/files.h"
#include "machine/model.h"

/* A packet socket that is bound to an interface: proc(5), /proc/net/packet. */
struct packet {
	unsigned int ifindex;
	unsigned long inode;
	bool told; /* with its process */
};

struct packets {
	unsigned int count;
	struct packet *list;
};

/* A file that a process has open. */
struct file {
	const char *target; /* of the link */
	bool is_node;
	bool is_block;
	dev_t number;
};

static bool
is_node_of(const struct child *child, const struct file *file)
{
	if (child->node[0] != '\0' && strcmp(child->node, file->target) == 0)
		return true;
	return file->is_node && child->major != 0 &&
	       file->is_block == (strcmp(child->subsystem, "block") == 0) &&
	       file->number == makedev(child->major, child->minor);
}

/* /dev/vfio/GROUP opens all of the group. */
static bool
is_node_of_group(const struct device *device, const char *target)
{
	char node[64], unsafe[64];

	if (device->group == NULL || !ioasid_is_on_vfio(&device->member))
		return false;
	snprintf(node, sizeof(node), "/dev/vfio/%u", device->group->number);
	snprintf(unsafe, sizeof(unsafe), "/dev/vfio/noiommu-%u", device->group->number);
	return strcmp(target, node) == 0 || strcmp(target, unsafe) == 0;
}

/* /sys/devices/…/BDF/resource0, config … */
static bool
is_in_sysfs(const struct device *device, const char *target)
{
	char part[IOASID_BDF_SIZE + 2];
	const char *at;

	if (strncmp(target, "/sys/devices/", strlen("/sys/devices/")) != 0)
		return false;
	snprintf(part, sizeof(part), "/%s/", device->member.bdf);
	at = strstr(target, part);
	return at != NULL && strchr(at + strlen(part), '/') == NULL;
}

static bool
is_open(const struct device *device, const struct file *file)
{
	for (unsigned int i = 0; i < device->nchildren; i++)
		if (is_node_of(&device->children[i], file))
			return true;
	return is_node_of_group(device, file->target) || is_in_sysfs(device, file->target);
}

static bool
is_known(const struct device *device, int pid)
{
	for (unsigned int i = 0; i < device->nuses; i++)
		if (device->uses[i].kind == USE_HELD && device->uses[i].pid == pid)
			return true;
	return false;
}

static void
add_holder(struct device *device, int pid, const char *target)
{
	const struct path path = machine_path("/proc/%d/comm", pid);
	char name[32];

	if (is_known(device, pid))
		return;
	if (machine_line(&path, name, sizeof(name)) < 0)
		strcpy(name, "?");
	use_add(device, USE_HELD, YES, name, target)->pid = pid;
}

static void
packets_read(struct packets *packets)
{
	const struct path path = machine_path("/proc/net/packet");
	FILE *f = fopen(path.s, "re");
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		struct packet packet = { 0 };

		if (sscanf(line, "%*x %*u %*u %*x %u %*u %*u %*u %lu", &packet.ifindex,
			   &packet.inode) != 2 ||
		    packet.ifindex == 0)
			continue;
		packets->list = list_grow(packets->list, packets->count, sizeof(*packets->list));
		packets->list[packets->count++] = packet;
	}
	if (f != NULL)
		fclose(f);
}

static void
add_packet(struct machine *machine, struct packet *packet, int pid)
{
	const struct path path = machine_path("/proc/%d/comm", pid);
	char name[32] = "";

	if (pid != 0 && machine_line(&path, name, sizeof(name)) < 0)
		strcpy(name, "?");
	packet->told = true;
	for (unsigned int i = 0; i < machine->ndevices; i++) {
		struct device *device = &machine->devices[i];

		for (unsigned int j = 0; device->looked_at && j < device->nchildren; j++)
			if (device->children[j].ifindex == packet->ifindex)
				use_add(device, USE_PACKET, YES, device->children[j].name, name)
					->pid = pid;
	}
}

static void
look_at_socket(struct machine *machine, struct packets *packets, int pid, const char *target)
{
	unsigned long inode;

	if (sscanf(target, "socket:[%lu]", &inode) != 1)
		return;
	for (unsigned int i = 0; i < packets->count; i++)
		if (packets->list[i].inode == inode && !packets->list[i].told)
			add_packet(machine, &packets->list[i], pid);
}

static void
look_at_file(struct machine *machine, struct packets *packets, int pid, const char *fd)
{
	const struct path link = machine_path("/proc/%d/fd/%s", pid, fd);
	char target[512];
	struct file file = { target, false, false, 0 };
	struct stat st;
	ssize_t n = readlink(link.s, target, sizeof(target) - 1);

	if (n <= 0)
		return;
	target[n] = '\0';
	look_at_socket(machine, packets, pid, target);
	if (target[0] != '/')
		return;
	/* Through the link, to what is open, whatever has its name by now. */
	if (stat(link.s, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))) {
		file.is_node = true;
		file.is_block = S_ISBLK(st.st_mode);
		file.number = st.st_rdev;
	}
	for (unsigned int i = 0; i < machine->ndevices; i++) {
		struct device *device = &machine->devices[i];

		if (device->looked_at && is_open(device, &file))
			add_holder(device, pid, target);
	}
}

static void
look_at_process(struct machine *machine, struct packets *packets, int pid)
{
	const struct path dir = machine_path("/proc/%d/fd", pid);
	char **names;
	int n = machine_list(&dir, &names);

	/* A process that has ended meanwhile has nothing open. */
	if (n < 0 && n != -ENOENT && n != -ESRCH)
		machine->processes = UNKNOWN;
	for (int i = 0; i < n; i++)
		look_at_file(machine, packets, pid, names[i]);
	machine_list_free(names, n);
}

void
holders_read(struct machine *machine)
{
	const struct path dir = machine_path("/proc");
	struct packets packets = { 0 };
	char **names;
	int n = machine_list(&dir, &names);

	packets_read(&packets);
	machine->processes = n >= 0 ? YES : UNKNOWN;
	for (int i = 0; i < n; i++) {
		const int pid = isdigit((unsigned char)names[i][0]) ? atoi(names[i]) : 0;

		if (pid > 0 && pid != getpid())
			look_at_process(machine, &packets, pid);
	}
	machine_list_free(names, n);
	/* Whose process may not be looked at, or is in another container. */
	for (unsigned int i = 0; i < packets.count; i++)
		if (!packets.list[i].told)
			add_packet(machine, &packets.list[i], 0);
	free(packets.list);
}
