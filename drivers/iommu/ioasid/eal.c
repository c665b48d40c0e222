/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * rte_eal_init() and rte_eal_cleanup(), wrapped: ours come first, then the next
 * definition in the symbol scope, which is librte_eal's.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "device.h"
#include "export.h"
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

static void *
next_definition(const char *name)
{
	void *sym = dlsym(RTLD_NEXT, name);

	if (sym == NULL)
		IOASID_LOG(ERR,
			   "%s: no definition but the plugin's: is the application linked "
			   "to DPDK's shared libraries?",
			   name);
	return sym;
}

/*
 * EAL must not see our arguments, argv[1 .. taken]. Whoever called rte_eal_init()
 * relies on two things: the result tells how many arguments were consumed, and
 * argv[result] is the program's name, for the application's own option parsing.
 */
static int
call_without_ours(int (*eal_init)(int, char **), int argc, char **argv, int taken)
{
	char *name = argv[0];
	char **view = argv + taken;
	char *last_of_ours = view[0];
	int ret;

	view[0] = name;
	ret = eal_init(argc - taken, view);
	/* view[ret] is the name now; behind it nothing moves. Before it, put ours back. */
	if (ret != 0)
		view[0] = last_of_ours;
	return ret < 0 ? ret : ret + taken;
}

EXPORT int
rte_eal_init(int argc, char **argv)
{
	int (*eal_init)(int, char **);
	int taken, ret;

	*(void **)&eal_init = next_definition("rte_eal_init");
	if (eal_init == NULL) {
		rte_errno = ENOTSUP;
		return -1;
	}
	if (options_env() < 0 || options_take(argc, argv, &taken) < 0) {
		rte_errno = EINVAL;
		return -1;
	}
	application_usage = rte_set_application_usage_hook(usage);
	ret = call_without_ours(eal_init, argc, argv, taken);
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

	*(void **)&eal_cleanup = next_definition("rte_eal_cleanup");
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
	space_close();
	return ret;
}
