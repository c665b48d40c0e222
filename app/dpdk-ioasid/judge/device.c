/* SPDX-License-Identifier: BSD-3-Clause */

/* Judgements on the device itself. */

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "judge/list.h"

/* PCI header types: PCI Local Bus Specification 6.2.1; only endpoints bind to vfio-pci. */
enum outcome
judge_device_kind(const struct situation *s, struct finding *f)
{
	if (s->device->member.bridge)
		return say(f, OUTCOME_BAD, "a bridge: programs use what is behind it");
	if (ioasid_is_exempt(&s->device->member))
		return say(f, OUTCOME_BAD,
			   "a host bridge, part of the root complex: nothing that a program could "
			   "drive");
	if (s->device->header == HEADER_UNKNOWN)
		return say(f, OUTCOME_UNKNOWN, "its configuration space cannot be read");
	return OUTCOME_GOOD;
}

enum outcome
judge_platform_device(const struct situation *s, struct finding *f)
{
	if (!is_known(s->device))
		return say(f, OUTCOME_UNKNOWN, "what it is cannot be read");
	if (is_platform(s->device))
		return say(f, OUTCOME_BAD, "%s: the machine runs by it, so leave it alone",
			   s->device->class_name);
	return OUTCOME_GOOD;
}

/* The driver's own list of kernel modules (RTE_PMD_REGISTER_KMOD_DEP in DPDK's drivers). */
enum outcome
judge_bifurcated(const struct situation *s, struct finding *f)
{
	if (!s->device->pmd.bifurcated)
		return OUTCOME_GOOD;
	if (ioasid_is_on_vfio(&s->device->member))
		return say(
			f, OUTCOME_BAD,
			"DPDK's driver for it (%s) works on the kernel's own driver and finds no "
			"port on VFIO: give it back; neither vfio-pci nor this plugin is needed",
			s->device->pmd.name);
	return say(f, OUTCOME_BAD,
		   "DPDK's driver for it (%s) works on the kernel's own driver, which keeps it: "
		   "neither vfio-pci nor this plugin is needed, and no memory is shared by VFIO",
		   s->device->pmd.name);
}

/* By the tables of DPDK's drivers (buildtools/pmd-table). */
enum outcome
judge_dpdk_driver(const struct situation *s, struct finding *f)
{
	if (s->device->pmd.has == YES)
		return OUTCOME_GOOD;
	return say(f, OUTCOME_BAD, "not a device for DPDK, which has no driver for it%s",
		   ioasid_is_on_vfio(&s->device->member) ? "" : ", and the system may need it");
}

/* Processes are told by themselves. */
static char *
own_uses(const struct device *device, enum answer is)
{
	char *text = NULL;

	for (unsigned int i = 0; i < device->nuses; i++) {
		char *one;

		if (device->uses[i].is != is || device->uses[i].kind == USE_HELD)
			continue;
		one = use_text(&device->uses[i]);
		text = append(text, "%s%s", text != NULL ? ", " : "", one);
		free(one);
	}
	return text;
}

enum outcome
judge_in_use(const struct situation *s, struct finding *f)
{
	char *yes = own_uses(s->device, YES), *unknown = own_uses(s->device, UNKNOWN);
	enum outcome outcome = yes != NULL       ? OUTCOME_BAD
			       : unknown != NULL ? OUTCOME_UNKNOWN
						 : OUTCOME_GOOD;

	if (outcome != OUTCOME_GOOD)
		say(f, outcome, "%s%s%s: `dpdk-ioasid bind` refuses to take it without --force",
		    yes != NULL ? yes : "", yes != NULL && unknown != NULL ? ", " : "",
		    unknown != NULL ? unknown : "");
	free(yes);
	free(unknown);
	return outcome;
}

/* Who has a device of the group open: proc(5), /proc/PID/fd. */
enum outcome
judge_holders(const struct situation *s, struct finding *f)
{
	const struct group *group = s->device->group;
	char *text = NULL;

	for (unsigned int i = 0; i < (group != NULL ? group->nmembers : 1); i++) {
		const struct device *member = group != NULL ? group->members[i] : s->device;

		for (unsigned int j = 0; j < member->nuses; j++) {
			char *one;

			if (member->uses[j].kind != USE_HELD)
				continue;
			one = use_text(&member->uses[j]);
			if (text == NULL || strstr(text, one) == NULL)
				text = append(text, "%s%s", text != NULL ? ", " : "", one);
			free(one);
		}
	}
	if (text != NULL) {
		say(f, OUTCOME_BAD, "the group is in use: %s", text);
		free(text);
		return OUTCOME_BAD;
	}
	if (s->machine->processes != YES)
		return say(f, OUTCOME_UNKNOWN,
			   "which processes of others have it open cannot be seen (%s)",
			   who_can(&s->machine->user));
	return OUTCOME_GOOD;
}

/* vfio-pci.ids=VENDOR:DEVICE[:…],… (drivers/vfio/pci/vfio_pci.c) */
enum outcome
judge_vfio_ids(const struct situation *s, struct finding *f)
{
	const struct ioasid_member *m = &s->device->member;
	char id[16];

	if (s->machine->vfio_ids.is == UNKNOWN)
		return OUTCOME_UNKNOWN;
	snprintf(id, sizeof(id), "%04x:%04x", m->vendor, m->device);
	if (strcasestr(s->machine->vfio_ids.s, id) == NULL)
		return OUTCOME_GOOD;
	return say(f, OUTCOME_BAD,
		   "vfio-pci takes every device of the id %s, by the kernel argument vfio-pci.ids: "
		   "`dpdk-ioasid unbind` cannot give it back before that is gone",
		   id);
}
