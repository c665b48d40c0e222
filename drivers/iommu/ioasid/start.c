/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include <rte_eal.h>

#include "children.h"
#include "explicit_set.h"
#include "interpose.h"
#include "log.h"
#include "multiprocess.h"
#include "options.h"
#include "space.h"
#include "start.h"
#include "stock.h"
#include "stock_secondary.h"
#include "telemetry.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int result;

/*
 * Not an error yet: a program without VFIO devices needs none of this. When one is set up,
 * the same failure is told as an error.
 */
static void
start_native(void)
{
	if (rte_eal_process_type() == RTE_PROC_SECONDARY)
		return;
	if (space_open() < 0)
		IOASID_LOG(DEBUG, "%s", ioasid_error());
}

static int
start_all(void)
{
	int ret;

	interpose_report();
	/* All plugins are loaded now, also those that come after us. */
	ret = interpose_loaded();
	if (ret < 0)
		return ret;
	ret = options_env();
	if (ret < 0)
		return ret;
	children_inherit_nothing();
	explicit_set_init();
	telemetry_start();
	if (stock_in_charge() == NULL)
		start_native();
	ret = multiprocess_start();
	if (ret == 0 && interpose_reached("rte_mp_action_register"))
		stock_secondary_answer(false);
	return ret;
}

static void
start_once(void)
{
	result = start_all();
}

/* Set once EAL has read its arguments; the channel is up before it calls anybody of ours. */
static bool
eal_is_up(void)
{
	return rte_eal_get_runtime_dir()[0] != '\0';
}

int
start(void)
{
	if (!eal_is_up())
		return 0;
	pthread_once(&once, start_once);
	return result;
}
