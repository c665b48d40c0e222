/* SPDX-License-Identifier: BSD-3-Clause */

/* PCI devices: Documentation/ABI/testing/sysfs-bus-pci, sysfs-devices-removable. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/files.h"
#include "machine/model.h"
#include "machine/pci.h"
#include "machine/pmd.h"

static struct path
attribute(const struct device *device, const char *file)
{
	return machine_path("/sys/bus/pci/devices/%s/%s", device->member.bdf, file);
}

static uint64_t
read_hex(const struct device *device, const char *file)
{
	const struct path path = attribute(device, file);

	return machine_number(&path, 16).n;
}

static struct name
read_text(const struct device *device, const char *file)
{
	const struct path path = attribute(device, file);
	struct name name = { UNKNOWN, "" };
	const int err = machine_line(&path, name.s, sizeof(name.s));

	name.is = err == 0 ? YES : err == -ENOENT ? NO : UNKNOWN;
	return name;
}

static struct name
read_link(const struct device *device, const char *file)
{
	const struct path path = attribute(device, file);

	return machine_name(&path);
}

/* The kernel's "-1" is that the machine has not said. */
static struct number
read_numa(const struct device *device)
{
	const struct path path = attribute(device, "numa_node");

	return machine_number(&path, 10);
}

/* Its name in VFIO, if it has one: of the library, where the device has a group. */
static void
read_cdev(const struct machine *machine, struct device *device)
{
	const struct path dir = attribute(device, "vfio-dev");
	char **names;
	int n = machine_list(&dir, &names);

	if (n > 0 && strlen(names[0]) < sizeof(device->member.cdev)) {
		strcpy(device->member.cdev, names[0]);
		node_read(&device->cdev, &machine->user, "/dev/vfio/devices/%s", names[0]);
	}
	machine_list_free(names, n);
}

static void
read_vfs(struct device *device)
{
	const uint64_t n = read_hex(device, "sriov_numvfs") > 0 ? UINT16_MAX : 0;

	for (unsigned int i = 0; i < n; i++) {
		char file[32];
		struct name vf;

		snprintf(file, sizeof(file), "virtfn%u", i);
		vf = read_link(device, file);
		if (vf.is != YES || strlen(vf.s) >= IOASID_BDF_SIZE)
			break;
		device->vfs = list_grow(device->vfs, device->nvfs, sizeof(*device->vfs));
		strcpy(device->vfs[device->nvfs++], vf.s);
	}
}

/*
 * sysfs-bus-virtio, "features": what device and driver agreed on, and the kernel agrees to this
 * bit wherever it is offered (drivers/virtio/virtio.c). Without a driver it says nothing.
 */
static void
read_negotiated(struct device *device, const char *name)
{
	const char *bdf = device->member.bdf;
	const struct path driver = machine_path("/sys/bus/pci/devices/%s/%s/driver", bdf, name);
	const struct path features = machine_path("/sys/bus/pci/devices/%s/%s/features", bdf, name);
	char bits[80];

	device->virtio_driven = machine_name(&driver).is;
	if (device->virtio_driven == YES && machine_line(&features, bits, sizeof(bits)) == 0 &&
	    strlen(bits) > 33)
		device->access_platform = answer_of(bits[33] == '1');
}

static void
read_virtio(struct device *device)
{
	const struct path dir = attribute(device, "");
	char **names;
	int n = machine_list(&dir, &names);

	device->virtio_driven = n >= 0 ? NO : UNKNOWN;
	for (int i = 0; i < n; i++)
		if (strncmp(names[i], "virtio", strlen("virtio")) == 0)
			read_negotiated(device, names[i]);
	machine_list_free(names, n);
}

/* The bridge nearest above: sysfs has a device in the directory of the one it is behind. */
static void
find_parent(struct machine *machine, struct device *device)
{
	const struct path link = attribute(device, "");
	char real[PATH_MAX], bdf[IOASID_BDF_SIZE], *save = NULL;

	if (realpath(link.s, real) == NULL)
		return;
	for (char *word = strtok_r(real, "/", &save); word != NULL;
	     word = strtok_r(NULL, "/", &save)) {
		struct device *above;

		if (!pci_parse(word, bdf) || strcmp(bdf, device->member.bdf) == 0)
			continue;
		above = machine_device(machine, bdf);
		if (above != NULL)
			device->parent = above;
	}
}

static void
read_device(const struct machine *machine, struct device *device, const char *bdf)
{
	struct ioasid_member *m = &device->member;
	struct name physfn, removable, display;

	snprintf(m->bdf, sizeof(m->bdf), "%s", bdf);
	m->vendor = (uint16_t)read_hex(device, "vendor");
	m->device = (uint16_t)read_hex(device, "device");
	m->class_code = (uint32_t)read_hex(device, "class");
	device->driver = read_link(device, "driver");
	snprintf(m->driver, sizeof(m->driver), "%.63s", device->driver.s);
	pci_read(device);
	read_cdev(machine, device);
	device->numa = read_numa(device);
	device->iommu = read_link(device, "iommu");
	device->override = read_text(device, "driver_override");
	physfn = read_link(device, "physfn");
	snprintf(device->physfn, sizeof(device->physfn), "%.31s", physfn.s);
	removable = read_text(device, "removable");
	device->removable = removable.is == YES ? answer_of(strcmp(removable.s, "removable") == 0)
						: removable.is;
	display = read_text(device, "boot_vga");
	device->boot_display =
		display.is == YES ? answer_of(strcmp(display.s, "1") == 0) : display.is;
	read_vfs(device);
	device->subsystem[0] = (uint16_t)read_hex(device, "subsystem_vendor");
	device->subsystem[1] = (uint16_t)read_hex(device, "subsystem_device");
	device->pmd = pmd_find(device);
	device->virtio = answer_of(ioasid_is_virtio(m));
	if (device->virtio == YES)
		read_virtio(device);
}

static bool
is_held(const struct device *device)
{
	for (unsigned int i = 0; i < device->nuses; i++)
		if (device->uses[i].kind == USE_HELD)
			return true;
	return false;
}

/* The window in its configuration space is a driver's, or a program's, where there is one. */
void
device_ask(const struct machine *machine, struct device *device)
{
	const struct path path = attribute(device, "config");
	int fd, has;

	if (device->virtio != YES || device->access_platform != UNKNOWN ||
	    device->virtio_driven != NO || machine->processes != YES || is_held(device) ||
	    machine_is_saved())
		return;
	fd = open(path.s, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	has = ioasid_virtio_access_platform(fd, 0);
	close(fd);
	if (has >= 0)
		device->access_platform = answer_of(has == 1);
}

void
devices_read(struct machine *machine)
{
	const struct path dir = machine_path("/sys/bus/pci/devices");
	char **names;
	int n = machine_list(&dir, &names);

	machine->devices_known = n >= 0 ? YES : n == -ENOENT ? NO : UNKNOWN;
	for (int i = 0; i < n; i++)
		machine->devices =
			list_grow(machine->devices, (unsigned int)i, sizeof(*machine->devices));
	for (int i = 0; i < n; i++) {
		/* What is no address cannot be named, nor be the device of anybody. */
		char bdf[IOASID_BDF_SIZE];

		if (pci_parse(names[i], bdf))
			read_device(machine, &machine->devices[machine->ndevices++], bdf);
	}
	for (unsigned int i = 0; i < machine->ndevices; i++)
		find_parent(machine, &machine->devices[i]);
	machine_list_free(names, n);
}
