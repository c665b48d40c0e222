/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid unbind: devices back from vfio-pci to the kernel's own drivers. */

#include <stdio.h>
#include <string.h>

#include "binding.h"
#include "driver.h"
#include "machine.h"

static const char doc[] =
	"Take devices from vfio-pci and give them back to the kernel's own drivers. Refuses "
	"devices "
	"of IOMMU groups that a program uses: the kernel would wait for its end."
	"\vExit status: 0 if no device is on vfio-pci any more; 1 if one was refused (then nothing "
	"was changed) or could not be unbound; 2 if the arguments are wrong or there is no such "
	"device.";

static bool
is_acceptable(const char *bdf, bool force)
{
	char name[IOASID_DRIVER_SIZE], users[512];

	driver_read(bdf, name, sizeof(name));
	if (name[0] != '\0' && strcmp(name, VFIO_PCI) != 0) {
		complain(bdf, "is not on " VFIO_PCI " but on %s", name);
		return false;
	}
	ioasid_group_users(machine_devices(), bdf, users, sizeof(users));
	if (force || users[0] == '\0')
		return true;
	complain(bdf, "its IOMMU group is in use, %s: end that first, or use --force", users);
	return false;
}

int
command_unbind(int argc, char **argv)
{
	struct binding binding = { 0 };
	bool done;

	binding_parse(&binding, argc, argv, doc);
	done = binding_all(&binding, is_acceptable);
	for (unsigned int i = 0; done && i < binding.bdfs.count; i++)
		done = driver_change(binding.bdfs.bdf[i], NULL) == 0;
	if (done)
		binding_print_groups(&binding.bdfs);
	bdfs_free(&binding.bdfs);
	return done ? STATUS_OK : STATUS_NO;
}
