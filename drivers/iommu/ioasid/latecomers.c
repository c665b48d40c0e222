/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ioasid.h>
#include <rte_alarm.h>

#include "latecomers.h"
#include "log.h"

/* Seconds from one look to the next: soon after an event, and then seldom. */
#define SHORTEST 1
#define LONGEST  32

struct latecomer {
	LIST_ENTRY(latecomer) entry;
	char devices[64];
	char bdf[NAME_MAX + 1];
};

static LIST_HEAD(, latecomer) latecomers = LIST_HEAD_INITIALIZER(latecomers);
static latecomers_told *tell;
/* Until the look that is due; 0: none is. */
static unsigned int wait;

static void
forget(struct latecomer *l)
{
	LIST_REMOVE(l, entry);
	free(l);
}

static bool
is_known(const char *devices, const char *bdf)
{
	struct latecomer *l;

	LIST_FOREACH(l, &latecomers, entry)
		if (strcmp(l->bdf, bdf) == 0 && strcmp(l->devices, devices) == 0)
			return true;
	return false;
}

static bool
remember(const char *devices, const char *bdf)
{
	struct latecomer *l;

	if (is_known(devices, bdf))
		return true;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return false;
	snprintf(l->devices, sizeof(l->devices), "%s", devices);
	snprintf(l->bdf, sizeof(l->bdf), "%s", bdf);
	LIST_INSERT_HEAD(&latecomers, l, entry);
	return true;
}

static bool
has_no_group(const char *devices, const char *bdf)
{
	unsigned int number;

	return ioasid_group_number(devices, bdf, &number) == -ENOENT;
}

static void on_alarm(void *arg);

static bool
look_in(unsigned int seconds)
{
	wait = rte_eal_alarm_set((uint64_t)seconds * 1000000, on_alarm, NULL) == 0 ? seconds : 0;
	return wait != 0;
}

static void
on_alarm(void *arg)
{
	unsigned int next = wait < LONGEST ? wait * 2 : LONGEST;
	struct latecomer *l, *other;

	(void)arg;
	wait = 0;
	LIST_FOREACH_SAFE(l, &latecomers, entry, other)
		if (!has_no_group(l->devices, l->bdf)) {
			tell(l->devices, l->bdf);
			forget(l);
		}
	if (!LIST_EMPTY(&latecomers) && !look_in(next))
		IOASID_LOG(WARNING, "no timer: whether devices that have no IOMMU group yet come "
				    "to one in use is not known");
}

void
latecomers_look(const char *devices, const char *bdf, latecomers_told *told)
{
	tell = told;
	if (!has_no_group(devices, bdf))
		return;
	/* One that is due as soon is left alone: events without end would put it off for ever. */
	if (wait > SHORTEST) {
		rte_eal_alarm_cancel(on_alarm, NULL);
		wait = 0;
	}
	if (!remember(devices, bdf) || (wait == 0 && !look_in(SHORTEST)))
		IOASID_LOG(WARNING, "%s: whether it comes to an IOMMU group in use is not known",
			   bdf);
}

void
latecomers_end(void)
{
	struct latecomer *l, *other;

	rte_eal_alarm_cancel(on_alarm, NULL);
	wait = 0;
	LIST_FOREACH_SAFE(l, &latecomers, entry, other)
		forget(l);
}
