/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "machine/files.h"
#include "machine/model.h"
#include "machine/pci.h"

struct device *
machine_device(const struct machine *machine, const char *bdf)
{
	for (unsigned int i = 0; i < machine->ndevices; i++)
		if (strcmp(machine->devices[i].member.bdf, bdf) == 0)
			return &machine->devices[i];
	return NULL;
}

static void
look_at(const struct machine *machine, struct device *device)
{
	if (device->looked_at)
		return;
	device->looked_at = true;
	children_read(device);
	use_read(device);
	for (unsigned int i = 0; i < device->nvfs; i++) {
		struct device *vf = machine_device(machine, device->vfs[i]);

		use_add(device, USE_VF, YES, device->vfs[i], "");
		if (vf != NULL)
			look_at(machine, vf);
	}
}

/* What shares a page table with the device matters as much. */
static void
look_at_group(const struct machine *machine, struct device *device)
{
	look_at(machine, device);
	if (device->group == NULL)
		return;
	for (unsigned int i = 0; i < device->group->nmembers; i++)
		look_at(machine, device->group->members[i]);
}

struct machine *
machine_read(wanted_fn wanted, const void *arg)
{
	struct machine *machine = list_grow(NULL, 0, sizeof(*machine));

	kernel_read(machine);
	iommus_read(machine);
	interrupts_read(machine);
	memory_read(machine);
	programs_read(machine);
	guard_read(&machine->guard);
	devices_read(machine);
	groups_read(machine);
	for (unsigned int i = 0; i < machine->ndevices; i++)
		if (wanted(&machine->devices[i], arg))
			look_at_group(machine, &machine->devices[i]);
	holders_read(machine);
	for (unsigned int i = 0; i < machine->ndevices; i++)
		if (machine->devices[i].looked_at)
			device_ask(machine, &machine->devices[i]);
	pci_close();
	return machine;
}

static void
device_clear(struct device *device)
{
	free(device->vfs);
	free(device->children);
	free(device->uses);
}

static void
group_free(struct group *group)
{
	free(group->reserved);
	free(group->members);
	free(group);
}

void
machine_free(struct machine *machine)
{
	if (machine == NULL)
		return;
	for (unsigned int i = 0; i < machine->ndevices; i++)
		device_clear(&machine->devices[i]);
	for (unsigned int i = 0; i < machine->nstrangers; i++) {
		device_clear(machine->strangers[i]);
		free(machine->strangers[i]);
	}
	for (unsigned int i = 0; i < machine->ngroups; i++)
		group_free(machine->groups[i]);
	free(machine->devices);
	free(machine->strangers);
	free(machine->groups);
	free(machine->iommus);
	free(machine->memory.pages);
	free(machine->memory.mounts);
	free(machine->programs.dpdks);
	guard_clear(&machine->guard);
	free(machine);
}
