/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>
#include <stdint.h>

#include "ahead.h"
#include "crowd.h"
#include "explicit_set.h"
#include "given.h"
#include "side_by_side.h"
#include "space.h"

/* By EAL's main thread only. */
static enum { OVER, STARTING, JOINED } phase;
static struct crowd crowd;

void
ahead_begin(void)
{
	if (phase != OVER)
		return;
	phase = STARTING;
	side_by_side_allow(true);
}

/* One whose descriptor was given belongs to the giver until it is set up. */
static void
add(const char *bdf, void *sysfs)
{
	if (ioasid_is_vfio(sysfs, bdf) == 1 && given_device(bdf) < 0)
		(void)crowd_add(&crowd, bdf);
}

static void
join(const char *bdf, void *sysfs)
{
	(void)ioasid_join_ahead(space_ctx(), sysfs, bdf);
}

void
ahead_join(const char *sysfs)
{
	if (phase != STARTING)
		return;
	phase = JOINED;
	explicit_set_each(add, (void *)(uintptr_t)sysfs);
	/* One alone joins in its own turn, which is now. */
	if (crowd.count > 1)
		crowd_do(&crowd, sysfs, CROWD_PHYSICAL_FIRST, join, (void *)(uintptr_t)sysfs);
}

void
ahead_end(void)
{
	if (phase == OVER)
		return;
	phase = OVER;
	if (crowd.count > 1)
		crowd_leave(&crowd, SYSFS_PCI, space_ctx());
	crowd_clear(&crowd);
	side_by_side_allow(false);
}
