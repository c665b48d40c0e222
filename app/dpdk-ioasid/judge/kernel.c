/* SPDX-License-Identifier: BSD-3-Clause */

/* Judgements on what the kernel and its nodes allow. */

#include <stddef.h>

#include "judge/list.h"

/*
 * vfio_pci_dev_in_denylist() in drivers/vfio/pci/vfio_pci.c: devices with errata that a program
 * could use against the machine. QAT is there since Linux 5.9, the others since 6.10 and in
 * stable kernels of that time.
 */
static const struct denied {
	uint16_t vendor, device;
	unsigned int since;
} denied[] = {
	{ 0x8086, 0x0435, 0x0509 }, { 0x8086, 0x0443, 0x0509 }, /* DH895xCC */
	{ 0x8086, 0x19e2, 0x0509 }, { 0x8086, 0x19e3, 0x0509 }, /* C3xxx */
	{ 0x8086, 0x37c8, 0x0509 }, { 0x8086, 0x37c9, 0x0509 }, /* C62x */
	{ 0x8086, 0x0b25, 0x060a },                             /* DSA of Sapphire Rapids */
	{ 0x8086, 0x0cfe, 0x060a },                             /* IAX of Sapphire Rapids */
};

enum outcome
judge_vfio_denylist(const struct situation *s, struct finding *f)
{
	const struct ioasid_member *m = &s->device->member;
	const struct denied *row = NULL;

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		if (denied[i].vendor == m->vendor && denied[i].device == m->device)
			row = &denied[i];
	/* What has a driver of VFIO already was not refused. */
	if (row == NULL || ioasid_is_on_vfio(m))
		return OUTCOME_NONE;
	if (s->machine->vfio.denylist == NO)
		return OUTCOME_GOOD;
	if (s->machine->kernel_number < row->since)
		return say(f, OUTCOME_UNKNOWN,
			   "vfio-pci of this kernel may refuse it, by its list of devices with "
			   "errata: the parameter vfio-pci.disable_denylist=1 allows it");
	return say(f, OUTCOME_BAD,
		   "vfio-pci refuses it, by its list of devices with errata that a program could "
		   "use against the machine: for programs that you trust the parameter "
		   "vfio-pci.disable_denylist=1, of the kernel or the module, allows it");
}

enum outcome
judge_vfio_driver(const struct situation *s, struct finding *f)
{
	if (s->machine->vfio.driver == YES || ioasid_is_on_vfio(&s->device->member))
		return OUTCOME_GOOD;
	if (s->machine->vfio.driver == UNKNOWN)
		return say(f, OUTCOME_UNKNOWN, "whether vfio-pci is there cannot be read");
	return say(f, OUTCOME_BAD, "the module vfio-pci is not loaded");
}

/* Documentation/userspace-api/iommufd.rst */
enum outcome
judge_iommufd(const struct situation *s, struct finding *f)
{
	const struct iommufd *iommufd = &s->machine->iommufd;

	if (iommufd->node.there == YES)
		return OUTCOME_GOOD;
	if (iommufd->in_kernel == YES)
		return say(f, OUTCOME_BAD,
			   "the kernel has iommufd, but there is no /dev/iommu here: a container "
			   "must be given it (--device /dev/iommu); without it stock EAL does the "
			   "work by VFIO's groups, under the plugin's group rule");
	if (iommufd->loadable == YES)
		return say(f, OUTCOME_BAD, "the module iommufd is not loaded");
	if (iommufd->in_kernel == UNKNOWN)
		return say(f, OUTCOME_UNKNOWN, "whether the kernel has iommufd cannot be read");
	return say(f, OUTCOME_BAD,
		   "the kernel has no iommufd: stock EAL does the work by VFIO's groups, under the "
		   "plugin's group rule");
}

/* CONFIG_VFIO_DEVICE_CDEV, Documentation/driver-api/vfio.rst */
enum outcome
judge_device_nodes(const struct situation *s, struct finding *f)
{
	const struct device *d = s->device;

	if (s->machine->iommufd.in_kernel == NO && s->machine->iommufd.loadable != YES)
		return OUTCOME_NONE;
	if (s->machine->iommufd.cdev == NO)
		return say(f, OUTCOME_BAD,
			   "the kernel's VFIO has no device cdevs (CONFIG_VFIO_DEVICE_CDEV): stock "
			   "EAL does the work, under the plugin's group rule");
	if (d->member.cdev[0] != '\0' && d->cdev.there != YES)
		return say(f, OUTCOME_BAD,
			   "its node %s is not there: a container must be given it (--device %s)",
			   d->cdev.path, d->cdev.path);
	return s->machine->iommufd.cdev == YES ? OUTCOME_GOOD : OUTCOME_UNKNOWN;
}

/* Why, and what opens the door: user_namespaces(7), capabilities(7). */
static const char *
way_in(const struct user *user, enum denial denial)
{
	if (denial == DENIED_UNMAPPED)
		return "its owner is not of this user namespace: a rootless container must keep "
		       "the user's groups (podman --group-add keep-groups), one of which may use "
		       "it";
	if (denial == DENIED_OTHER)
		return "its owner and mode would allow it, so a security module, the container's "
		       "list of devices or a mount without device nodes forbids it: see `ausearch "
		       "-m avc`, for containers under SELinux `setsebool container_use_devices "
		       "on`, and --device";
	if (user->root)
		return "its mode does not let root in, who has no CAP_DAC_OVERRIDE here";
	return "a udev rule or chown can give it to this user, see the guide on users without root";
}

static enum outcome
judge_node(const struct situation *s, struct finding *f, const struct node *node)
{
	const struct user *user = &s->machine->user;

	if (node->there != YES || node->may_open == YES)
		return OUTCOME_GOOD;
	if (node->may_open == UNKNOWN)
		return say(f, OUTCOME_UNKNOWN, "whether %s may be opened cannot be told",
			   node->path);
	return say(f, OUTCOME_BAD, "%s (%s) may not open %s: %s", user->root ? "root" : "this user",
		   user->name, node->path, way_in(user, node->denial));
}

enum outcome
judge_node_access(const struct situation *s, struct finding *f)
{
	const enum outcome own = judge_node(s, f, &s->device->cdev);

	return own == OUTCOME_GOOD ? judge_node(s, f, &s->machine->iommufd.node) : own;
}
