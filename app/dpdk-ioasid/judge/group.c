/* SPDX-License-Identifier: BSD-3-Clause */

/* Judgements on its IOMMU group, all of it. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "judge/list.h"

/* Documentation/ABI/testing/sysfs-kernel-iommu_groups; drivers/vfio/group.c for "vfio-noiommu" */
enum outcome
judge_iommu_group(const struct situation *s, struct finding *f)
{
	const struct device *d = s->device;

	if (d->has_group == NO || (d->group != NULL && d->group->no_iommu == YES))
		return say(f, OUTCOME_BAD,
			   "no IOMMU protects the system from it: switch the IOMMU on in the "
			   "firmware's setup (VT-d, AMD-Vi), on Intel also by the kernel argument "
			   "intel_iommu=on; a virtual machine must be given one");
	if (d->group == NULL || d->group->no_iommu == UNKNOWN)
		return say(f, OUTCOME_UNKNOWN, "its IOMMU group cannot be read");
	return OUTCOME_GOOD;
}

/* "direct": memory of the firmware's, which the kernel lets no user space take over. */
enum outcome
judge_firmware_map(const struct situation *s, struct finding *f)
{
	const struct group *group = s->device->group;

	for (unsigned int i = 0; group != NULL && i < group->nreserved; i++) {
		const struct ioasid_reserved *r = &group->reserved[i];

		if (strcmp(r->type, "direct") == 0)
			return say(f, OUTCOME_BAD,
				   "the firmware asks for a 1:1 map of 0x%" PRIx64 "-0x%" PRIx64
				   " (RMRR) for its group, so the kernel gives it to no user "
				   "space: see the vendor's firmware settings",
				   r->range.start, r->range.last);
	}
	return group != NULL ? OUTCOME_GOOD : OUTCOME_NONE;
}

enum outcome
judge_platform_member(const struct situation *s, struct finding *f)
{
	const struct group *group = s->device->group;
	const struct device *unknown = NULL;
	char *names = NULL;

	for (unsigned int i = 0; group != NULL && i < group->nmembers; i++) {
		const struct device *m = group->members[i];

		if (is_other(s->device, m) && !is_known(m))
			unknown = m;
		if (is_other(s->device, m) && is_platform(m))
			names = append(names, "%s%s (%s)", names != NULL ? ", " : "", m->member.bdf,
				       m->class_name);
	}
	if (names == NULL && unknown != NULL)
		return say(f, OUTCOME_UNKNOWN,
			   "IOMMU group %u also holds %s, and what that is cannot be read",
			   group->number, unknown->member.bdf);
	if (names == NULL)
		return group != NULL ? OUTCOME_GOOD : OUTCOME_NONE;
	say(f, OUTCOME_BAD,
	    "IOMMU group %u also holds what the machine runs by: %s; use a card in a slot with a "
	    "group of its own",
	    group->number, names);
	free(names);
	return OUTCOME_BAD;
}

/* A process that has it open, and its virtual functions, end with a command. */
static const struct use *
find_use(const struct device *device, enum answer is)
{
	for (unsigned int i = 0; i < device->nuses; i++)
		if (device->uses[i].is == is && device->uses[i].kind != USE_HELD &&
		    device->uses[i].kind != USE_VF)
			return &device->uses[i];
	return NULL;
}

static bool
say_use(const struct situation *s, struct finding *f, enum answer is)
{
	const struct group *group = s->device->group;

	for (unsigned int i = 0; group != NULL && i < group->nmembers; i++) {
		const struct device *m = group->members[i];
		const struct use *use = find_use(m, is);
		char *text;

		if (!is_other(s->device, m) || use == NULL)
			continue;
		text = use_text(use);
		if (is == YES)
			say(f, OUTCOME_BAD,
			    "IOMMU group %u also holds %s, which the system uses (%s): move the "
			    "card to another slot",
			    group->number, m->member.bdf, text);
		else
			say(f, OUTCOME_UNKNOWN, "IOMMU group %u also holds %s, and %s",
			    group->number, m->member.bdf, text);
		free(text);
		return true;
	}
	return false;
}

enum outcome
judge_member_in_use(const struct situation *s, struct finding *f)
{
	if (say_use(s, f, YES))
		return OUTCOME_BAD;
	if (say_use(s, f, UNKNOWN))
		return OUTCOME_UNKNOWN;
	return s->device->group != NULL ? OUTCOME_GOOD : OUTCOME_NONE;
}

/* The group rule itself, as the plugin has it: doc/guides/group_rule.rst. */
enum outcome
judge_group_members(const struct situation *s, struct finding *f)
{
	const struct group *group = s->device->group;
	char *names = NULL;

	for (unsigned int i = 0; group != NULL && i < group->nmembers; i++) {
		const struct device *m = group->members[i];

		if (is_other(s->device, m) && !bdfs_has(s->set, m->member.bdf))
			names = append(names, " -a %s", m->member.bdf);
	}
	if (names == NULL)
		return group != NULL ? OUTCOME_GOOD : OUTCOME_NONE;
	say(f, OUTCOME_BAD,
	    "others of IOMMU group %u could reach the memory of a program that uses it: name these "
	    "too:%s",
	    group->number, names);
	free(names);
	return OUTCOME_BAD;
}
