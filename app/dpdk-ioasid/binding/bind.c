/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid bind: devices to vfio-pci, with their groups in view. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/binding.h"
#include "binding/driver.h"
#include "subprocess.h"

static const char doc[] =
	"Give devices to vfio-pci, and show who shares their IOMMU groups. A DEVICE is a PCI "
	"address or the name of a network interface. Refused is what vfio-pci cannot have or no "
	"program could use, and what is in use: disks that something claims, network interfaces "
	"that have an address, are part of another or are in another network namespace, displays, "
	"consoles, physical functions with virtual functions, devices that a process has open. All "
	"are looked at before the first is touched, and either all are bound or none."
	"\vWhat is bound stays so until the next boot.\n\n"
	"Exit status: 0 if all devices are bound, or would be; 1 if one was refused or could not "
	"be bound, then nothing was changed; 2 if the arguments are wrong or there is no such "
	"device.";

/* What makes vfio-pci wait: it takes no device before the last program has let go. */
static void
say_what_ends(const struct device *device)
{
	char *yes = uses_text(device, YES), *unknown = uses_text(device, UNKNOWN);

	if (yes != NULL)
		complain(device->member.bdf, "--force takes it although %s", yes);
	if (unknown != NULL)
		complain(device->member.bdf, "--force takes it although %s", unknown);
	for (unsigned int i = 0; i < device->nuses; i++)
		if (device->uses[i].kind == USE_HELD)
			complain(device->member.bdf,
				 "this waits until process %d (%s) has let go of it",
				 device->uses[i].pid, device->uses[i].name);
	free(yes);
	free(unknown);
}

/* Virtual functions go with it, and whoever has them open holds it up. */
static bool
refuse_vf_users(const struct binding *binding, const struct device *device)
{
	bool used = false;

	for (unsigned int i = 0; i < device->nvfs; i++) {
		const struct device *vf = machine_device(binding->machine, device->vfs[i]);
		char *text = vf != NULL ? uses_text(vf, YES) : NULL;

		if (text != NULL)
			complain(device->member.bdf, "its virtual function %s is in use, %s%s",
				 device->vfs[i], text,
				 binding->force ? ": this waits for its end" : "");
		used = used || text != NULL;
		free(text);
	}
	return used && !binding->force;
}

/* VFIO without IOMMU is there for whoever has switched it on, and asks for no protection. */
static bool
can_be_forced(const struct binding *binding, const struct judgement *j)
{
	return j->forcible ||
	       (strcmp(j->id, "iommu-group") == 0 && binding->machine->vfio.no_iommu == YES);
}

/* Whatever a finding makes impossible, or leaves open, that must be known before. */
static bool
stands_in_the_way(const struct binding *binding, const struct finding *finding)
{
	const struct judgement *j = finding->judgement;
	const bool bad = finding->outcome == OUTCOME_BAD && j->bad == VERDICT_CANNOT;
	/* Isolation does not depend on the driver, so it can still be looked at then. */
	const bool open = finding->outcome == OUTCOME_UNKNOWN && j->unknown == VERDICT_UNKNOWN &&
			  j->bad == VERDICT_CANNOT;

	return (bad || open) && !(binding->force && can_be_forced(binding, j));
}

static bool
is_possible(const struct binding *binding, const struct device *device)
{
	struct opinion *opinion = judge(binding->machine, device, &binding->bdfs);
	bool possible = true;

	for (unsigned int i = 0; i < opinion->nfindings && possible; i++) {
		const struct finding *finding = &opinion->findings[i];

		if (!stands_in_the_way(binding, finding))
			continue;
		complain(device->member.bdf, "%s%s", finding->text,
			 can_be_forced(binding, finding->judgement)
				 ? " (--force binds it all the same)"
				 : "");
		possible = false;
	}
	opinion_free(opinion);
	return possible;
}

static bool
is_acceptable(const struct binding *binding, const struct device *device, bool *skip)
{
	char *yes, *unknown;

	/* A variant of it is as good, and knows the device better. */
	if (ioasid_is_on_vfio(&device->member)) {
		*skip = true;
		return true;
	}
	if (!is_possible(binding, device) || refuse_vf_users(binding, device))
		return false;
	if (binding->force) {
		say_what_ends(device);
		return true;
	}
	yes = uses_text(device, YES);
	unknown = uses_text(device, UNKNOWN);
	if (yes != NULL)
		complain(device->member.bdf, "is in use, %s: free it first, or take it by --force",
			 yes);
	else if (unknown != NULL)
		complain(device->member.bdf,
			 "may be in use, %s: free it first, or take it by --force", unknown);
	free(yes);
	free(unknown);
	return device->nuses == 0;
}

static void
print_permanence(const struct bdfs *bdfs)
{
	char path[PATH_MAX];

	if (spawn_find("driverctl", path, sizeof(path)) < 0)
		return;
	puts("To have it so after each boot:");
	for (unsigned int i = 0; i < bdfs->count; i++)
		printf("  driverctl set-override %s " VFIO_PCI "\n", bdfs->bdf[i]);
}

int
command_bind(int argc, char **argv)
{
	struct binding binding = { 0 };
	bool done;

	binding_start(&binding, argc, argv, doc);
	done = binding_change(&binding, is_acceptable, VFIO_PCI);
	if (done && !binding.dry) {
		binding_print(&binding, true);
		print_permanence(&binding.bdfs);
	}
	binding_end(&binding);
	return done ? STATUS_OK : STATUS_NO;
}
