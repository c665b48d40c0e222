/* SPDX-License-Identifier: BSD-3-Clause */

/* What the guard in the kernel would do, if the device were attached now. */

#include <stdlib.h>
#include <string.h>

#include "judge/list.h"

static bool
is_excepted(const struct guard *guard, const struct device *member)
{
	for (unsigned int i = 0; i < guard->ndevices; i++)
		if (strcmp(guard->devices[i], member->member.bdf) == 0)
			return true;
	return false;
}

static bool
is_excepted_group(const struct guard *guard, const struct group *group)
{
	for (unsigned int i = 0; i < guard->ngroups; i++)
		if (guard->groups[i] == group->number)
			return true;
	return false;
}

/* Who is asked about together joins together. */
static bool
satisfies(const struct guard *guard, const struct device *member, const struct bdfs *set)
{
	const bool asked = bdfs_has(set, member->member.bdf);

	switch (guard->rule) {
	case GUARD_BOUND:
		return asked || ioasid_is_on_vfio(&member->member);
	case GUARD_JOINED:
		return asked;
	default:
		return false;
	}
}

char *
guard_missing(const struct machine *machine, const struct device *device, const struct bdfs *set)
{
	const struct guard *guard = &machine->guard;
	const struct group *group = device->group;
	char *names = NULL;

	if (group == NULL || is_excepted_group(guard, group))
		return NULL;
	for (unsigned int i = 0; i < group->nmembers; i++) {
		const struct device *m = group->members[i];

		if (is_other(device, m) && !is_excepted(guard, m) && !satisfies(guard, m, set))
			names = append(names, "%s%s", names != NULL ? ", " : "", m->member.bdf);
	}
	return names;
}

static const char *
demand(enum guard_rule rule)
{
	static const char *const demands[] = {
		[GUARD_BOUND] = "is not on a VFIO driver",
		[GUARD_JOINED] = "has not joined",
		[GUARD_ALONE] = "is in its group",
	};

	return demands[rule];
}

enum outcome
judge_guard(const struct situation *s, struct finding *f)
{
	const struct guard *guard = &s->machine->guard;
	char *names;

	if (guard->there == NO)
		return OUTCOME_NONE;
	if (guard->there == UNKNOWN)
		return say(f, OUTCOME_UNKNOWN,
			   "whether the guard in the kernel (dpdk-ioasid guard) refuses it cannot "
			   "be told here: %s",
			   who_can(&s->machine->user));
	if (guard->broken)
		return say(f, OUTCOME_BAD,
			   "the guard in the kernel is not whole: see `dpdk-ioasid guard status`");
	names = guard_missing(s->machine, s->device, s->set);
	if (names == NULL)
		return OUTCOME_GOOD;
	say(f, OUTCOME_BAD, "the guard in the kernel %s it as long as one of these %s: %s%s",
	    guard->report_only ? "would report" : "refuses", demand(guard->rule), names,
	    guard->ncallers > 0 ? " (but for users and cgroups that it allows)" : "");
	free(names);
	return OUTCOME_BAD;
}
