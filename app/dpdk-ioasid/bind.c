/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid bind: devices to vfio-pci, with their groups in view. */

#include <stdio.h>
#include <string.h>

#include "binding.h"
#include "driver.h"
#include "in_use.h"
#include "machine.h"
#include "pci.h"
#include "subprocess.h"

static const char doc[] =
	"Give devices to vfio-pci (by driver_override), and show who shares their IOMMU groups. "
	"Refuses disks that are mounted and network interfaces that have an address. All devices "
	"are looked at before the first is touched."
	"\vWhat is bound stays so until the next boot.\n\n"
	"Exit status: 0 if all devices are bound; 1 if one was refused (then nothing was changed) "
	"or "
	"could not be bound; 2 if the arguments are wrong or there is no such device.";

static bool
is_acceptable(const char *bdf, bool force)
{
	struct ioasid_member m;
	char why[512];

	pci_read(bdf, &m);
	if (m.bridge) {
		complain(bdf, "is a bridge: bind what is behind it");
		return false;
	}
	/* A device that is on vfio-pci is in use by nobody else. */
	if (force || strcmp(m.driver, VFIO_PCI) == 0 || !in_use(bdf, why, sizeof(why)))
		return true;
	complain(bdf, "is in use, %s: free it first, or take it by --force", why);
	return false;
}

static bool
bind_all(const struct bdfs *bdfs)
{
	char name[IOASID_DRIVER_SIZE];
	bool all = true;

	for (unsigned int i = 0; i < bdfs->count; i++) {
		driver_read(bdfs->bdf[i], name, sizeof(name));
		if (strcmp(name, VFIO_PCI) != 0)
			all = driver_change(bdfs->bdf[i], VFIO_PCI) == 0 && all;
	}
	return all;
}

/* Endpoints of the devices' groups that cannot join yet: one line to bind them, too. */
static void
print_rest(const struct bdfs *bdfs)
{
	struct bdfs rest = { 0 };

	for (unsigned int i = 0; i < bdfs->count; i++) {
		struct ioasid_group_info *group;

		if (ioasid_group_info_read(machine_devices(), bdfs->bdf[i], &group) < 0)
			continue;
		for (unsigned int j = 0; j < group->nmembers; j++) {
			const struct ioasid_member *m = &group->members[j];

			if (!m->bridge && strcmp(m->driver, VFIO_PCI) != 0 && m->cdev[0] == '\0')
				bdfs_append(&rest, m->bdf);
		}
		ioasid_group_info_free(group);
	}
	if (rest.count > 0)
		printf("Others of the group must be bound and named, too:\n  dpdk-ioasid bind");
	for (unsigned int i = 0; i < rest.count; i++)
		printf(" %s", rest.bdf[i]);
	if (rest.count > 0)
		putchar('\n');
	bdfs_free(&rest);
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
	bool done = false;

	binding_parse(&binding, argc, argv, doc);
	if (binding_all(&binding, is_acceptable) && driver_have_vfio()) {
		done = bind_all(&binding.bdfs);
		binding_print_groups(&binding.bdfs);
		print_rest(&binding.bdfs);
		if (done)
			print_permanence(&binding.bdfs);
	}
	bdfs_free(&binding.bdfs);
	return done ? STATUS_OK : STATUS_NO;
}
