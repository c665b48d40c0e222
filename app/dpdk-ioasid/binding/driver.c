/* SPDX-License-Identifier: BSD-3-Clause */

/* Documentation/ABI/testing/sysfs-bus-pci: bind, unbind, driver_override, drivers_probe. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/driver.h"
#include "command.h"
#include "machine/files.h"
#include "subprocess.h"

bool
driver_have_vfio(void)
{
	const struct path driver = machine_path("/sys/bus/pci/drivers/" VFIO_PCI);
	char *argv[] = { (char[]){ "modprobe" }, (char[]){ VFIO_PCI }, NULL };
	char *output = NULL;

	if (machine_exists(&driver))
		return true;
	spawn(argv, &output);
	if (output != NULL)
		machine_printable(output);
	if (!machine_exists(&driver))
		fprintf(stderr, "dpdk-ioasid: the kernel has no driver " VFIO_PCI ": %s\n",
			output != NULL && output[0] != '\0' ? output : "modprobe found none");
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

static struct name
read_driver(const char *bdf)
{
	const struct path path = machine_path("/sys/bus/pci/devices/%s/driver", bdf);

	return machine_name(&path);
}

static int
set_override(const char *bdf, const char *name)
{
	const struct path path = machine_path("/sys/bus/pci/devices/%s/driver_override", bdf);

	return write_for(bdf, &path, name, "setting driver_override");
}

/* What it was before; "(null)" is how the kernel shows none. */
static void
restore_override(const struct device *device)
{
	const char *old = device->override.s;

	set_override(device->member.bdf,
		     device->override.is == YES && strcmp(old, "(null)") != 0 && old[0] != '\0'
			     ? old
			     : "\n");
}

static int
unbind(const char *bdf)
{
	const struct path path = machine_path("/sys/bus/pci/devices/%s/driver/unbind", bdf);

	return machine_exists(&path) ? write_for(bdf, &path, bdf, "unbinding") : 0;
}

static void
probe(const char *bdf)
{
	const struct path path = machine_path("/sys/bus/pci/drivers_probe");

	/* What comes of it shows afterwards: that no driver wants the device is an error, too. */
	machine_write(&path, bdf);
}

void
driver_restore(const struct device *device)
{
	const char *bdf = device->member.bdf, *old = device->member.driver;
	const struct name now = read_driver(bdf);
	const struct path path = machine_path("/sys/bus/pci/drivers/%s/bind", old);

	if (now.is == YES && strcmp(now.s, old) == 0) {
		restore_override(device);
		return;
	}
	if (now.is == YES)
		unbind(bdf);
	if (old[0] != '\0') {
		/* A driver that knows the device only by an override takes it only with one. */
		set_override(bdf, old);
		if (write_for(bdf, &path, bdf, "giving it back to its driver") == 0)
			complain(bdf, "is back on %s", old);
	}
	restore_override(device);
}

/* Where a driver refuses a device, the reason is in the kernel's log only. */
static int
check_driver(const struct device *device, const char *wanted)
{
	const char *bdf = device->member.bdf;
	const struct name now = read_driver(bdf);
	struct ioasid_member m = { 0 };

	if (wanted != NULL && strcmp(now.s, wanted) != 0) {
		complain(bdf, "%s did not take it: the kernel log (dmesg) says why", wanted);
		return -ENODEV;
	}
	snprintf(m.driver, sizeof(m.driver), "%.63s", now.s);
	if (wanted == NULL && ioasid_is_on_vfio(&m)) {
		complain(bdf,
			 "%s has taken it again, as it takes every device of its id: by the kernel "
			 "argument vfio-pci.ids, /etc/modprobe.d, or an id written to new_id, "
			 "which `echo %04x %04x >/sys/bus/pci/drivers/%s/remove_id` undoes",
			 now.s, device->member.vendor, device->member.device, now.s);
		return -EBUSY;
	}
	return 0;
}

int
driver_change(const struct device *device, const char *name)
{
	const char *bdf = device->member.bdf;
	int err;

	/* First what may fail without any change. */
	err = set_override(bdf, name != NULL ? name : "\n");
	if (err < 0)
		return err;
	err = unbind(bdf);
	if (err == 0) {
		probe(bdf);
		err = check_driver(device, name);
	}
	if (err < 0)
		driver_restore(device);
	else if (name != NULL)
		restore_override(device);
	return err;
}
