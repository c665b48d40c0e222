/* SPDX-License-Identifier: BSD-3-Clause */

/* IOMMU groups, and what the group rule says of their members: the library's, as in the plugin. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/files.h"
#include "machine/model.h"

static struct group *
group_find(const struct machine *machine, unsigned int number)
{
	for (unsigned int i = 0; i < machine->ngroups; i++)
		if (machine->groups[i]->number == number)
			return machine->groups[i];
	return NULL;
}

static struct device *
stranger(struct machine *machine, const struct ioasid_member *m)
{
	struct device *device = list_grow(NULL, 0, sizeof(*device));

	machine->strangers =
		list_grow(machine->strangers, machine->nstrangers, sizeof(*machine->strangers));
	machine->strangers[machine->nstrangers++] = device;
	device->member = *m;
	return device;
}

/* The library takes names as they are. */
static void
make_printable(struct ioasid_group_info *info)
{
	for (unsigned int i = 0; i < info->nmembers; i++) {
		machine_printable(info->members[i].bdf);
		machine_printable(info->members[i].driver);
		machine_printable(info->members[i].cdev);
	}
	for (unsigned int i = 0; i < info->nreserved; i++)
		machine_printable(info->reserved[i].type);
}

static void
add_members(struct machine *machine, struct group *group, const struct ioasid_group_info *info)
{
	for (unsigned int i = 0; i < info->nmembers; i++) {
		const struct ioasid_member *m = &info->members[i];
		struct device *device = machine_device(machine, m->bdf);

		if (device == NULL)
			device = stranger(machine, m);
		device->member = *m;
		device->group = group;
		device->has_group = YES;
		group->members =
			list_grow(group->members, group->nmembers, sizeof(*group->members));
		group->members[group->nmembers++] = device;
	}
}

static struct name
group_line(unsigned int number, const char *file)
{
	const struct path path = machine_path("/sys/kernel/iommu_groups/%u/%s", number, file);
	struct name name = { UNKNOWN, "" };
	const int err = machine_line(&path, name.s, sizeof(name.s));

	name.is = err == 0 ? YES : err == -ENOENT ? NO : UNKNOWN;
	return name;
}

static void
add_group(struct machine *machine, struct ioasid_group_info *info)
{
	struct group *group = list_grow(NULL, 0, sizeof(*group));
	struct name name = group_line(info->number, "name");

	make_printable(info);
	group->number = info->number;
	/* Ours from here on. */
	group->nreserved = info->nreserved;
	group->reserved = info->reserved;
	info->reserved = NULL;
	info->nreserved = 0;
	group->type = group_line(info->number, "type");
	if (name.is != UNKNOWN)
		group->no_iommu = answer_of(strcmp(name.s, "vfio-noiommu") == 0);
	machine->groups = list_grow(machine->groups, machine->ngroups, sizeof(*machine->groups));
	machine->groups[machine->ngroups++] = group;
	add_members(machine, group, info);
}

void
groups_read(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->ndevices; i++) {
		struct device *device = &machine->devices[i];
		const struct path link =
			machine_path("/sys/bus/pci/devices/%s/iommu_group", device->member.bdf);
		struct ioasid_group_info *info;
		unsigned int number;

		if (device->group != NULL)
			continue;
		device->has_group = machine_name(&link).is;
		/* Where device and group contradict each other, the device has no group here. */
		if (ioasid_group_number(machine_devices(), device->member.bdf, &number) < 0 ||
		    group_find(machine, number) != NULL)
			continue;
		if (ioasid_group_info_read(machine_devices(), device->member.bdf, &info) < 0)
			continue;
		add_group(machine, info);
		ioasid_group_info_free(info);
	}
}
