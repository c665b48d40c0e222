/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * rte_eal_init(), rte_eal_cleanup() and rte_mp_action_register(), wrapped: ours come
 * first, then the next definition, which is librte_eal's. Loaded by -d the first is not
 * called here: EAL's own initialisation is under way when we come.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "container.h"
#include "device.h"
#include "events.h"
#include "export.h"
#include "given.h"
#include "interpose.h"
#include "layout.h"
#include "log.h"
#include "memory.h"
#include "multiprocess.h"
#include "options.h"
#include "removal.h"
#include "space.h"
#include "start.h"
#include "stock_secondary.h"
#include "survivor.h"
#include "user_map.h"

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
	ret = options_call_without(eal_init, argc, argv, taken);
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
	removal_stop();
	/* EAL is about to free even pages that were never to be freed. */
	memory_set_closing();
	ret = eal_cleanup();
	/* EAL's PCI bus forgets to release some devices (22.11): what is left goes now. */
	multiprocess_release_all();
	device_release_all();
	container_close_all();
	space_close();
	memory_end();
	user_map_forget(0);
	given_close_all();
	return ret;
}
