/* SPDX-License-Identifier: BSD-3-Clause */

#include "clear.h"
#include "container.h"
#include "device.h"
#include "ending.h"
#include "memory.h"
#include "removal.h"
#include "side_by_side.h"
#include "space.h"
#include "user_map.h"

void
ending_begin(void)
{
	removal_stop();
	device_set_closing();
	memory_set_closing();
}

void
ending_finish(void)
{
	side_by_side_allow(true);
	/* EAL's PCI bus forgets to release some (22.11). From here on no device does DMA. */
	device_retire_all();
	clear_maps();
	container_close_all();
	device_leave_all();
	space_close();
	memory_end();
	user_map_forget(0);
	removal_end();
	side_by_side_allow(false);
}
