/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "driver.h"
#include "machine.h"
#include "subprocess.h"

void
driver_read(const char *bdf, char *name, size_t size)
{
	const struct path path = machine_path("/sys/bus/pci/devices/%s/driver", bdf);

	machine_link(&path, name, size);
}

bool
driver_have_vfio(void)
{
	const struct path driver = machine_path("/sys/bus/pci/drivers/" VFIO_PCI);
	char *argv[] = { (char[]){ "modprobe" }, (char[]){ VFIO_PCI }, NULL };
	char *output = NULL;

	if (machine_exists(&driver))
		return true;
	spawn(argv, &output);
	if (!machine_exists(&driver))
		fprintf(stderr, "dpdk-ioasid: the kernel has no driver " VFIO_PCI ": %s",
			output != NULL && output[0] != '\0' ? output : "modprobe found none\n");
	free(output);
	return machine_exists(&driver);
}

static int
write_for(const char *bdf, const struct path *path, const char *text, const char *what)
{
	int err = machine_write(path, text);

	if (err == -EACCES || err == -EPERM)
		complain(bdf, "%s failed: only root may (sudo)", what);
	else if (err < 0)
		complain(bdf, "%s failed: %s", what, strerror(-err));
	return err;
}

static int
unbind(const char *bdf)
{
	const struct path path = machine_path("/sys/bus/pci/devices/%s/driver/unbind", bdf);

	return machine_exists(&path) ? write_for(bdf, &path, bdf, "unbinding") : 0;
}

/* Where a driver refuses a device, the reason is in the kernel's log only. */
static int
check_driver(const char *bdf, const char *want)
{
	char name[IOASID_DRIVER_SIZE];

	driver_read(bdf, name, sizeof(name));
	if (want == NULL || strcmp(name, want) == 0)
		return 0;
	complain(bdf,
		 "%s did not take it: the kernel log (dmesg) says why; `dpdk-ioasid check %s` "
		 "shows what is missing",
		 want, bdf);
	return -ENODEV;
}

int
driver_change(const char *bdf, const char *name)
{
	const struct path override = machine_path("/sys/bus/pci/devices/%s/driver_override", bdf);
	const struct path probe = machine_path("/sys/bus/pci/drivers_probe");
	int err;

	/* First what may fail without any change. */
	err = write_for(bdf, &override, name != NULL ? name : "\n", "setting driver_override");
	if (err == 0)
		err = unbind(bdf);
	if (err < 0)
		return err;
	/* What comes of it shows afterwards: that no driver wants the device is an error, too. */
	machine_write(&probe, bdf);
	return check_driver(bdf, name);
}
