/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid unbind: devices back from VFIO to the kernel's own drivers. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/binding.h"
#include "binding/driver.h"

static const char doc[] =
	"Take devices from VFIO's drivers and give them back to the kernel's own. A DEVICE is a "
	"PCI address or the name of a network interface. Refused are devices of IOMMU groups that "
	"a process has open (the kernel would wait for its end), physical functions with virtual "
	"functions, and what vfio-pci would take again at once. Either all are given back or none."
	"\vExit status: 0 if no device is on VFIO any more, or would be; 1 if one was refused or "
	"could not be given back, then nothing was changed; 2 if the arguments are wrong or there "
	"is no such device.";

/* Of the whole group: while a program has one, no kernel driver may have another. */
static bool
is_held(const struct binding *binding, const struct device *device)
{
	const struct group *group = device->group;
	bool held = false;

	for (unsigned int i = 0; i < (group != NULL ? group->nmembers : 1); i++) {
		const struct device *m = group != NULL ? group->members[i] : device;

		for (unsigned int j = 0; j < m->nuses; j++) {
			char *text = m->uses[j].kind == USE_HELD ? use_text(&m->uses[j]) : NULL;

			if (text != NULL)
				complain(device->member.bdf, "its IOMMU group is in use, %s: %s",
					 text,
					 binding->force ? "this waits until it has let go"
							: "end that first, or use --force");
			held = held || text != NULL;
			free(text);
		}
	}
	return held;
}

static bool
has_vfs(const struct binding *binding, const struct device *device)
{
	for (unsigned int i = 0; i < device->nvfs; i++) {
		const struct device *vf = machine_device(binding->machine, device->vfs[i]);
		char *text = vf != NULL ? uses_text(vf, YES) : NULL;

		complain(device->member.bdf, "its virtual function %s would go away%s%s: %s",
			 device->vfs[i], text != NULL ? ", and is in use, " : "",
			 text != NULL ? text : "",
			 binding->force ? (text != NULL ? "this waits for its end" : "--force")
					: "end them first (0 to its sriov_numvfs), or use --force");
		free(text);
	}
	return device->nvfs > 0;
}

/* Before the first write, as far as the kernel's command line tells. */
static bool
is_taken_again(const struct binding *binding, const struct device *device)
{
	struct opinion *opinion = judge(binding->machine, device, &binding->bdfs);
	bool again = false;

	for (unsigned int i = 0; i < opinion->nfindings; i++) {
		const struct finding *finding = &opinion->findings[i];

		if (strcmp(finding->judgement->id, "vfio-ids") != 0 ||
		    finding->outcome != OUTCOME_BAD)
			continue;
		complain(device->member.bdf, "%s", finding->text);
		again = true;
	}
	opinion_free(opinion);
	return again;
}

static bool
is_acceptable(const struct binding *binding, const struct device *device, bool *skip)
{
	const char *driver = device->member.driver;
	bool held, vfs;

	*skip = false;
	if (driver[0] != '\0' && !ioasid_is_on_vfio(&device->member)) {
		complain(device->member.bdf, "is not on " VFIO_PCI " but on %s", driver);
		return false;
	}
	if (is_taken_again(binding, device))
		return false;
	held = is_held(binding, device);
	vfs = has_vfs(binding, device);
	return binding->force || (!held && !vfs);
}

int
command_unbind(int argc, char **argv)
{
	struct binding binding = { 0 };
	bool done;

	binding_start(&binding, argc, argv, doc);
	done = binding_change(&binding, is_acceptable, NULL);
	if (done && !binding.dry)
		binding_print(&binding, false);
	binding_end(&binding);
	return done ? STATUS_OK : STATUS_NO;
}
