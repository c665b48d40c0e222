/* SPDX-License-Identifier: BSD-3-Clause */

/* The guard, as it is in the kernel: what is laid down in the maps that it has pinned. */

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard/pins.h"
#include "machine/files.h"
#include "machine/model.h"

/* Called for each key of a map. */
typedef void (*each_fn)(struct guard *guard, const void *key);

static bool
each(enum pin pin, struct guard *guard, each_fn fn)
{
	union {
		char name[GUARD_NAME];
		__u32 number;
		struct guard_cgroup cgroup;
	} key, next;
	int fd = pins_open(pin);
	const void *last = NULL;

	if (fd < 0)
		return false;
	while (bpf_map_get_next_key(fd, last, &next) == 0) {
		fn(guard, &next);
		key = next;
		last = &key;
	}
	close(fd);
	return true;
}

static void
add_device(struct guard *guard, const void *key)
{
	char *name;

	guard->devices = list_grow(guard->devices, guard->ndevices, sizeof(*guard->devices));
	name = guard->devices[guard->ndevices++];
	memcpy(name, key, GUARD_NAME - 1);
	machine_printable(name);
}

static void
add_group(struct guard *guard, const void *key)
{
	guard->groups = list_grow(guard->groups, guard->ngroups, sizeof(*guard->groups));
	memcpy(&guard->groups[guard->ngroups++], key, sizeof(*guard->groups));
}

static void
add_caller(struct guard *guard, const void *key)
{
	(void)key;
	guard->ncallers++;
}

void
guard_read(struct guard *guard)
{
	const struct path saved = machine_path(PIN_DIRECTORY);
	struct guard_policy policy;
	enum pins_state state;

	/* What was saved of another machine has no maps. */
	if (machine_is_saved()) {
		guard->there = machine_exists(&saved) ? UNKNOWN : NO;
		return;
	}
	state = pins_read(&policy);
	guard->there = state == PINS_NONE ? NO : state == PINS_UNKNOWN ? UNKNOWN : YES;
	guard->broken = state == PINS_BROKEN;
	if (state != PINS_THERE)
		return;
	guard->report_only = policy.report_only;
	guard->rule = (enum guard_rule)policy.rule;
	if (!each(PIN_DEVICES, guard, add_device) || !each(PIN_GROUPS, guard, add_group) ||
	    !each(PIN_UIDS, guard, add_caller) || !each(PIN_CGROUPS, guard, add_caller) ||
	    guard->rule > GUARD_ALONE)
		guard->there = UNKNOWN;
}

void
guard_clear(struct guard *guard)
{
	free(guard->devices);
	free(guard->groups);
}
