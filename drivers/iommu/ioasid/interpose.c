/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The shared library. Preloaded, or linked before librte_eal, it is asked first by the
 * order of the symbol scope. Loaded by EAL's -d it comes too late for that: all calls
 * lead to librte_eal already. Then they are redirected.
 *
 * Which calls there are is a matter of how librte_eal was linked: with -Bsymbolic-functions
 * (Ubuntu) it calls its own functions directly, and nobody can stand in their place.
 */

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caller.h"
#include "interpose.h"
#include "interposed.h"
#include "log.h"
#include "options.h"
#include "redirect.h"
#include "side_by_side.h"

#define PLUGIN "librte_iommu_ioasid.so"
/* A function of librte_eal that nobody stands in the place of. */
#define EAL_FUNCTION "rte_eal_process_type"
/* One of the PCI bus, which must call our rte_vfio_setup_device(). */
#define BUS_FUNCTION "rte_pci_dump"

/*
 * Only their addresses are wanted, so not from DPDK's headers, which do not have all of
 * them in every version. The library is linked with -Bsymbolic-functions: these are
 * ours, whoever is first in the symbol scope.
 */
#define DECLARE(name) void name(void);
#define ENTRY(name)   { #name, name },

INTERPOSED(DECLARE)
void rte_eal_process_type(void);

static const struct redirect interposed[] = { INTERPOSED(ENTRY) };

static bool late;

/*
 * Who asked for the plugin must not go on without it. A constructor cannot fail, and exit()
 * would run the destructors of what is only half loaded.
 */
static void __attribute__((noreturn)) end(void)
{
	fflush(NULL);
	_exit(EXIT_FAILURE);
}

static struct link_map *
object_of(const void *address)
{
	struct link_map *map = NULL;
	Dl_info info;

	return address != NULL && dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) != 0
		       ? map
		       : NULL;
}

/* The librte_eal that the program uses, by the address of a function. */
static void *
programs_eal(void)
{
	return dlsym(RTLD_DEFAULT, EAL_FUNCTION);
}

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
	found = dlsym(program, "rte_vfio_setup_device");
	dlclose(program);
	return found != NULL && strncmp(caller_name(found), PLUGIN, strlen(PLUGIN)) == 0;
}

/*
 * What EAL loads after us has found librte_eal's functions, and it loads drivers and buses.
 * This call of it leads out of librte_eal, so that it can be redirected in any.
 */
static void *
dlopen_and_redirect(const char *path, int flags)
{
	void *handle = dlopen(path, flags);

	if (handle == NULL || interpose_loaded() == 0)
		return handle;
	dlclose(handle);
	return NULL;
}

static int
redirect(void)
{
	const struct redirect loading = { "dlopen", (void (*)(void))dlopen_and_redirect };
	int ret = redirect_all(interposed, RTE_DIM(interposed));
	int loads = ret < 0 ? 0 : redirect_in(programs_eal(), &loading, 1);

	return loads < 0 ? loads : ret;
}

int
interpose_loaded(void)
{
	int ret;

	if (!late)
		return 0;
	ret = redirect();
	if (ret < 0)
		IOASID_LOG(ERR,
			   "cannot redirect calls from librte_eal to the plugin: %s; use "
			   "LD_PRELOAD instead of -d",
			   strerror(-ret));
	else if (ret > 0)
		IOASID_LOG(DEBUG, "%d references redirected to the plugin", ret);
	return ret < 0 ? ret : 0;
}

bool
interpose_reached(const char *name)
{
	return redirect_count(programs_eal(), name) > 0;
}

void
interpose_report(void)
{
	char names[1024] = "";
	size_t n = 0;

	for (size_t i = 0; i < RTE_DIM(interposed) && n < sizeof(names); i++)
		if (interpose_reached(interposed[i].name))
			n += (size_t)snprintf(names + n, sizeof(names) - n, " %s",
					      interposed[i].name);
	IOASID_LOG(DEBUG, "of what %s calls of itself this leads to the plugin:%s",
		   caller_name(programs_eal()), n > 0 ? names : " nothing, it is linked so");
}

/*
 * Whether the program has EAL in itself, so that nobody can redirect its calls. It may show
 * its functions to libraries (-Wl,--export-dynamic), or not: then librte_eal.so is in the
 * process for our sake only, after us in the order of loading.
 */
static bool
program_is_static(void)
{
	const struct link_map *ours = object_of(&late), *eal = object_of(programs_eal());

	/* A program that only refers to the function may have its address, too. */
	if (eal != NULL && eal->l_prev == NULL)
		return redirect_count(programs_eal(), EAL_FUNCTION) == 0;
	while (late && ours != NULL && ours != eal)
		ours = ours->l_next;
	return late && ours != NULL;
}

/* Two DPDKs in one process: ours, and the one that the program uses. */
static bool
is_for_another_dpdk(void)
{
	return programs_eal() != NULL &&
	       object_of(programs_eal()) != object_of((void *)(uintptr_t)rte_eal_process_type);
}

/*
 * DPDK in one object that calls its own functions directly: not even its PCI bus comes to
 * us. A bus that EAL is yet to load is an object of its own.
 */
static bool
bus_is_out_of_reach(void)
{
	const struct link_map *bus = object_of(dlsym(RTLD_DEFAULT, BUS_FUNCTION));

	return bus != NULL && bus == object_of(programs_eal()) &&
	       redirect_count(programs_eal(), "rte_vfio_setup_device") == 0;
}

static void
check_program(void)
{
	if (program_is_static())
		IOASID_LOG(ERR, "not in use: this program does not use DPDK's shared libraries; "
				"link librte_iommu_ioasid.a into it instead");
	else if (is_for_another_dpdk())
		IOASID_LOG(ERR,
			   "not in use: this plugin is for %s, the program uses %s: take the "
			   "plugin for that",
			   caller_name((void *)(uintptr_t)rte_eal_process_type),
			   caller_name(programs_eal()));
	else if (bus_is_out_of_reach())
		IOASID_LOG(ERR,
			   "not in use: %s has all of DPDK in it and calls its own functions "
			   "directly, so that no device\n  comes to the plugin: link the program "
			   "to DPDK's separate libraries, or to librte_iommu_ioasid.a",
			   caller_name(programs_eal()));
	else
		return;
	end();
}

/*
 * Early enough for -d: EAL loads plugins before it calls any of these functions but
 * rte_eal_init(). Descriptors in the options are to be looked at before EAL opens files of
 * its own; bad ones fail rte_vfio_enable(), where EAL's call of it comes to us.
 */
static void __attribute__((constructor)) interpose_on_load(void)
{
	late = !first_in_scope();
	check_program();
	if (interpose_loaded() < 0)
		end();
	if (late)
		side_by_side_note_processors();
	if (late && options_env() < 0 && !interpose_reached("rte_vfio_enable"))
		end();
}

static void *
open_eal(void)
{
	void *sym = programs_eal();
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
