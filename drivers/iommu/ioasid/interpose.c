/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The shared library. Preloaded, or linked before librte_eal, it is asked first by the
 * order of the symbol scope. Loaded by EAL's -d it comes too late for that: all calls
 * lead to librte_eal already. Then they are redirected.
 */

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "interpose.h"
#include "interposed.h"
#include "log.h"
#include "options.h"
#include "redirect.h"

#define PLUGIN "librte_iommu_ioasid.so"

/*
 * Only their addresses are wanted, so not from DPDK's headers, which do not have all of
 * them in every version. The library is linked with -Bsymbolic-functions: these are
 * ours, whoever is first in the symbol scope.
 */
#define DECLARE(name) void name(void);
#define ENTRY(name)   { #name, name },

INTERPOSED(DECLARE)

static const struct redirect interposed[] = { INTERPOSED(ENTRY) };

static bool late;

/*
 * Whether the symbol scope of the program leads to the plugin without our doing: to this
 * copy of it, or to one from elsewhere, which has seen the options and does the work.
 */
static bool
first_in_scope(void)
{
	void *program = dlopen(NULL, RTLD_LAZY);
	void *found;

	if (program == NULL)
		return false;
	found = dlsym(program, interposed[0].name);
	dlclose(program);
	return found != NULL && strncmp(caller_name(found), PLUGIN, strlen(PLUGIN)) == 0;
}

int
interpose_loaded(void)
{
	int ret;

	if (!late)
		return 0;
	ret = redirect_all(interposed, RTE_DIM(interposed));
	if (ret < 0)
		IOASID_LOG(ERR,
			   "cannot redirect calls from librte_eal to the plugin: %s; use "
			   "LD_PRELOAD instead of -d",
			   strerror(-ret));
	else
		IOASID_LOG(DEBUG, "%d references redirected to the plugin", ret);
	return ret < 0 ? ret : 0;
}

/*
 * Whether librte_eal.so is in the process for our sake only: then whoever loaded us has
 * an EAL of its own, linked statically, whose calls nobody can redirect.
 */
static bool
eal_came_with_us(void)
{
	void *eal = dlsym(RTLD_DEFAULT, "rte_eal_process_type");
	struct link_map *ours = NULL, *others = NULL;
	Dl_info info;

	if (eal == NULL || dladdr1(&late, &info, (void **)&ours, RTLD_DL_LINKMAP) == 0 ||
	    dladdr1(eal, &info, (void **)&others, RTLD_DL_LINKMAP) == 0)
		return false;
	/* In the order in which they were loaded. */
	while (ours != NULL && ours != others)
		ours = ours->l_next;
	return ours != NULL;
}

/*
 * Early enough for -d: EAL loads plugins before it calls any of these functions but
 * rte_eal_init(). Who asked for the plugin must not go on without it, and a
 * constructor cannot fail.
 */
static void __attribute__((constructor)) interpose_on_load(void)
{
	late = !first_in_scope();
	if (late && eal_came_with_us())
		IOASID_LOG(ERR, "not in use: this program does not use DPDK's shared libraries; "
				"link librte_iommu_ioasid.a into it instead");
	if (interpose_loaded() < 0)
		abort();
	/* Descriptors in it are to be looked at before EAL opens files of its own. */
	if (late)
		(void)options_env();
}

/* librte_eal, by a function of it that nobody stands in the place of. */
static void *
open_eal(void)
{
	void *sym = dlsym(RTLD_DEFAULT, "rte_eal_process_type");
	Dl_info info;

	if (sym == NULL || dladdr(sym, &info) == 0)
		return NULL;
	return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
}

void *
next_definition(const char *name)
{
	void *sym = late ? NULL : dlsym(RTLD_NEXT, name);
	void *eal;

	if (sym != NULL)
		return sym;
	/* Loaded by -d, there is no "next": we are in no order with librte_eal. */
	eal = open_eal();
	if (eal == NULL)
		return NULL;
	sym = dlsym(eal, name);
	dlclose(eal);
	return sym;
}
