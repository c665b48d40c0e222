/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What hangs on a device: sysfs has it below the device's directory, each with a link to its
 * subsystem (Documentation/admin-guide/sysfs-rules.rst). Not by libudev, which knows no sysfs
 * but /sys.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/files.h"
#include "machine/model.h"

#define DEEPEST 16

static void
read_node(const char *dir, struct child *child)
{
	char line[160], node[121];
	struct path path;
	FILE *f;

	snprintf(path.s, sizeof(path.s), "%.4000s/dev", dir);
	if (machine_line(&path, line, sizeof(line)) == 0)
		sscanf(line, "%u:%u", &child->major, &child->minor);
	snprintf(path.s, sizeof(path.s), "%.4000s/uevent", dir);
	f = fopen(path.s, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "DEVNAME=%120s", node) == 1)
			snprintf(child->node, sizeof(child->node), "/dev/%s", node);
	if (f != NULL)
		fclose(f);
	machine_printable(child->node);
}

static void
add(struct device *device, const char *dir, const char *name, const char *subsystem)
{
	struct path path;
	struct child *child;
	char line[32];

	device->children =
		list_grow(device->children, device->nchildren, sizeof(*device->children));
	child = &device->children[device->nchildren++];
	snprintf(child->name, sizeof(child->name), "%.63s", name);
	snprintf(child->subsystem, sizeof(child->subsystem), "%.31s", subsystem);
	machine_printable(child->name);
	read_node(dir, child);
	snprintf(path.s, sizeof(path.s), "%.4000s/ifindex", dir);
	child->ifindex = (unsigned int)machine_number(&path, 10).n;
	snprintf(path.s, sizeof(path.s), "%.4000s/status", dir);
	if (machine_line(&path, line, sizeof(line)) == 0)
		child->connected = answer_of(strcmp(line, "connected") == 0);
}

/* Many directories, and nothing below them. */
static bool
is_of_interest(const struct dirent *e)
{
	static const char *const others[] = {
		"power", "queues", "statistics", "msi_irqs", "mq", "integrity", "trace", "bdi",
	};

	if (e->d_type != DT_DIR || e->d_name[0] == '.')
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(e->d_name, others[i]) == 0)
			return false;
	return true;
}

static void
walk(struct device *device, const char *dir, unsigned int depth)
{
	DIR *d = depth < DEEPEST ? opendir(dir) : NULL;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		struct path below, link;
		struct name subsystem;

		if (!is_of_interest(e))
			continue;
		if (snprintf(below.s, sizeof(below.s), "%s/%s", dir, e->d_name) >=
		    (int)sizeof(below.s) - 16)
			continue;
		snprintf(link.s, sizeof(link.s), "%.4080s/subsystem", below.s);
		subsystem = machine_name(&link);
		if (subsystem.is == YES)
			add(device, below.s, e->d_name, subsystem.s);
		walk(device, below.s, depth + 1);
	}
	if (d != NULL)
		closedir(d);
}

/*
 * A disk of NVMe with several paths lies below none of its controllers, but below a subsystem
 * that has links to them.
 */
static void
walk_subsystems(struct device *device, const char *controller)
{
	const struct path dir = machine_path("/sys/class/nvme-subsystem");
	char **names, real[PATH_MAX];
	int n = machine_list(&dir, &names);

	for (int i = 0; i < n; i++) {
		const struct path path = machine_path("/sys/class/nvme-subsystem/%s", names[i]);
		const struct path link =
			machine_path("/sys/class/nvme-subsystem/%s/%s", names[i], controller);

		if (machine_exists(&link) && realpath(path.s, real) != NULL)
			walk(device, real, 0);
	}
	machine_list_free(names, n);
}

void
children_read(struct device *device)
{
	const struct path link = machine_path("/sys/bus/pci/devices/%s", device->member.bdf);
	char real[PATH_MAX];
	unsigned int own;

	/* What hangs on a bridge hangs on the devices behind it. */
	if (device->member.bridge || realpath(link.s, real) == NULL)
		return;
	walk(device, real, 0);
	own = device->nchildren;
	for (unsigned int i = 0; i < own; i++) {
		char name[sizeof(device->children[i].name)];

		strcpy(name, device->children[i].name);
		if (strcmp(device->children[i].subsystem, "nvme") == 0)
			walk_subsystems(device, name);
	}
}
