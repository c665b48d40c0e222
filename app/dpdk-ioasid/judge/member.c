/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "judge/judge.h"

bool
is_other(const struct device *device, const struct device *member)
{
	return member != device && !ioasid_is_exempt(&member->member);
}

/*
 * By the class codes of the PCI Code and ID Assignment Specification: bridges to other buses
 * than PCI, memory and flash, system peripherals, SMBus, IPMI and the buses that have no class
 * (SPI, with the firmware's flash). What DPDK drives is none of these, whatever its class.
 * VMD is a root complex of its own, with disks behind it.
 */
bool
is_platform(const struct device *device)
{
	const unsigned int class = device->member.class_code >> 8;

	if (device->pmd.has == YES || ioasid_is_exempt(&device->member))
		return false;
	if (strcmp(device->member.driver, "vmd") == 0)
		return true;
	switch (class) {
	case 0x0c05:
	case 0x0c07:
	case 0x0c80:
		return true;
	case 0x0805: /* a slot for SD cards, as good as any disk */
		return false;
	default:
		return class >> 8 == 0x05 || class >> 8 == 0x06 || class >> 8 == 0x08;
	}
}

bool
is_known(const struct device *device)
{
	return device->member.vendor != 0 && device->member.class_code != 0;
}

const char *
member_state(const struct device *device, const struct device *member)
{
	const struct ioasid_member *m = &member->member;

	if (member->group == NULL || member->group != device->group)
		return "not in the group";
	if (m->bridge)
		return "bridge, exempt";
	if (ioasid_is_exempt(m))
		return "host bridge, exempt";
	if (member == device)
		return "this device";
	if (!is_known(member))
		return "in the way: what it is cannot be read";
	if (is_platform(member))
		return "in the way: the machine runs by it";
	if (ioasid_is_on_vfio(m))
		return "at risk unless named: on VFIO, can join";
	if (m->driver[0] == '\0')
		return "at risk unless named: unbound, must be bound to vfio-pci to join";
	if (strcmp(m->driver, "pci-stub") == 0)
		return "at risk unless named: must be bound to vfio-pci to join";
	return "in the way: its driver is the kernel's, which then refuses the whole group";
}
