/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * rte_eal_init(), rte_bus_probe(), rte_eal_cleanup() and rte_mp_action_register(), wrapped:
 * ours come first, then the next definition, which is librte_eal's. Loaded by -d the first is
 * not called here: EAL's own initialisation is under way when we come. The second is called by
 * EAL only, and does not come to us where EAL calls its functions directly.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "ahead.h"
#include "ending.h"
#include "events.h"
#include "export.h"
#include "given.h"
#include "interpose.h"
#include "layout.h"
#include "log.h"
#include "multiprocess.h"
#include "options.h"
#include "side_by_side.h"
#include "start.h"
#include "stock_secondary.h"
#include "survivor.h"

static rte_usage_hook_t application_usage;

static void
usage(const char *prgname)
{
	options_usage();
	if (application_usage != NULL)
		application_usage(prgname);
}

/* The wrapped function; NULL, said in the log. */
static void *
wrapped(const char *name)
{
	void *sym = next_definition(name);

	if (sym == NULL)
		IOASID_LOG(ERR,
			   "%s: no definition but the plugin's: is the application linked to "
			   "DPDK's shared libraries?",
			   name);
	return sym;
}

EXPORT int
rte_eal_init(int argc, char **argv)
{
	int (*eal_init)(int, char **);
	int taken, ret, started;

	*(void **)&eal_init = wrapped("rte_eal_init");
	if (eal_init == NULL) {
		rte_errno = ENOTSUP;
		return -1;
	}
	if (options_env() < 0 || options_take(argc, argv, &taken) < 0) {
		rte_errno = EINVAL;
		return -1;
	}
	layout_read_eal_args(argc, argv);
	application_usage = rte_set_application_usage_hook(usage);
	side_by_side_note_processors();
	ahead_begin();
	ret = options_call_without(eal_init, argc, argv, taken);
	ahead_end();
	rte_set_application_usage_hook(application_usage);
	if (ret < 0) {
		/* It fails early where another process still has the memory. */
		survivor_report();
		return ret;
	}
	started = start();
	if (started < 0) {
		rte_errno = -started;
		return -1;
	}
	stock_secondary_answer(true);
	given_report_unused();
	return ret;
}

/* EAL sets up its devices in it. */
EXPORT int
rte_bus_probe(void)
{
	int (*bus_probe)(void);
	int ret;

	*(void **)&bus_probe = wrapped("rte_bus_probe");
	if (bus_probe == NULL) {
		rte_errno = ENOTSUP;
		return -1;
	}
	ahead_begin();
	ret = bus_probe();
	ahead_end();
	return ret;
}

/* EAL's own VFIO code offers to answer secondary processes, late in its initialisation. */
EXPORT int
rte_mp_action_register(const char *name, rte_mp_t action)
{
	int (*action_register)(const char *, rte_mp_t);

	if (stock_secondary_keeps_action(name))
		return 0;
	*(void **)&action_register = wrapped("rte_mp_action_register");
	if (action_register == NULL) {
		rte_errno = ENOTSUP;
		return -1;
	}
	return action_register(name, action);
}

EXPORT int
rte_eal_cleanup(void)
{
	int (*eal_cleanup)(void);
	int ret;

	*(void **)&eal_cleanup = wrapped("rte_eal_cleanup");
	if (eal_cleanup == NULL) {
		rte_errno = ENOTSUP;
		return -1;
	}
	/* Loaded by -d, this is the first time that nothing more is to come. */
	given_report_unused();
	multiprocess_stop();
	events_stop();
	ending_begin();
	ret = eal_cleanup();
	multiprocess_release_all();
	ending_finish();
	given_close_all();
	return ret;
}
