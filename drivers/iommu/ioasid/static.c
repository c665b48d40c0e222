/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The static library. Its functions are called __wrap_NAME (meson.build), and ld's
 * --wrap=NAME makes the calls from all other objects lead there, and __real_NAME be
 * librte_eal's. Without --wrap these are undefined: it cannot be forgotten.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "interpose.h"
#include "interposed.h"

#define DECLARE(name) void __real_##name(void);
#define ENTRY(name)   { #name, __real_##name },

INTERPOSED(DECLARE)
/* In librte_eal since 24.03 only. */
#pragma weak __real_rte_vfio_get_device_info

int
interpose_loaded(void)
{
	return 0;
}

void
interpose_report(void)
{
}

bool
interpose_reached(const char *name)
{
	(void)name;
	return true;
}

void *
next_definition(const char *name)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} real[] = { INTERPOSED(ENTRY) };

	for (size_t i = 0; i < sizeof(real) / sizeof(real[0]); i++)
		if (strcmp(real[i].name, name) == 0)
			return (void *)(uintptr_t)real[i].function;
	return NULL;
}
