/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "side_by_side.h"

struct doing {
	const struct crowd *crowd;
	bool virtual; /* whose turn it is */
	void (*fn)(const char *bdf, void *arg);
	void *arg;
};

int
crowd_add(struct crowd *crowd, const char *bdf)
{
	const unsigned int room = crowd->room > 0 ? 2 * crowd->room : 16;
	struct crowd_device *bigger = crowd->devices;

	if (crowd->count == crowd->room) {
		bigger = reallocarray(crowd->devices, room, sizeof(*bigger));
		if (bigger == NULL)
			return -ENOMEM;
		crowd->devices = bigger;
		crowd->room = room;
	}
	bigger[crowd->count] = (struct crowd_device){ .bdf = "" };
	strncat(bigger[crowd->count++].bdf, bdf, IOASID_BDF_SIZE - 1);
	return 0;
}

static bool
has(const struct crowd *crowd, const char *bdf)
{
	for (unsigned int i = 0; i < crowd->count; i++)
		if (strcmp(crowd->devices[i].bdf, bdf) == 0)
			return true;
	return false;
}

/* Where that cannot be told it is taken for a virtual one, which does no harm to others. */
static void
tell_apart(struct crowd *crowd, const char *sysfs)
{
	char physical[IOASID_BDF_SIZE];
	int ret;

	for (unsigned int i = 0; i < crowd->count; i++) {
		ret = ioasid_physical_function(sysfs, crowd->devices[i].bdf, physical);
		crowd->devices[i].virtual = ret < 0 || (ret > 0 && has(crowd, physical));
	}
}

static void
do_one(unsigned int i, void *arg)
{
	const struct doing *doing = arg;
	const struct crowd_device *device = &doing->crowd->devices[i];

	if (device->virtual == doing->virtual)
		doing->fn(device->bdf, doing->arg);
}

static void
do_some(struct doing *doing, bool virtual)
{
	const struct crowd *crowd = doing->crowd;
	unsigned int n = 0;

	for (unsigned int i = 0; i < crowd->count; i++)
		n += crowd->devices[i].virtual == virtual;
	doing->virtual = virtual;
	side_by_side(do_one, n > 0 ? crowd->count : 0, doing, n);
}

void
crowd_do(struct crowd *crowd, const char *sysfs, enum crowd_order order,
	 void (*fn)(const char *bdf, void *arg), void *arg)
{
	struct doing doing = { .crowd = crowd, .fn = fn, .arg = arg };

	tell_apart(crowd, sysfs);
	do_some(&doing, order == CROWD_VIRTUAL_FIRST);
	do_some(&doing, order != CROWD_VIRTUAL_FIRST);
}

static void
leave(const char *bdf, void *ctx)
{
	ioasid_leave_unused(ctx, bdf);
}

void
crowd_leave(struct crowd *crowd, const char *sysfs, struct ioasid_ctx *ctx)
{
	crowd_do(crowd, sysfs, CROWD_VIRTUAL_FIRST, leave, ctx);
}

void
crowd_clear(struct crowd *crowd)
{
	free(crowd->devices);
	*crowd = (struct crowd){ 0 };
}
