/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * rte_eal_init() and rte_eal_cleanup(), wrapped: ours come first, then the next
 * definition, which is librte_eal's. Loaded by -d only the second is called here:
 * EAL's own initialisation is under way when we come.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "container.h"
#include "device.h"
#include "export.h"
#include "interpose.h"
#include "layout.h"
#include "log.h"
#include "memory.h"
#include "multiprocess.h"
#include "options.h"
#include "space.h"

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
	int taken, ret;

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
	if (ret >= 0)
		multiprocess_answer_stock();
	return ret;
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
	multiprocess_stop();
	/* EAL is about to free even pages that were never to be freed. */
	memory_set_closing();
	ret = eal_cleanup();
	/* EAL's PCI bus forgets to release some devices (22.11): what is left goes now. */
	multiprocess_release_all();
	device_release_all();
	container_close_all();
	space_close();
	return ret;
}
