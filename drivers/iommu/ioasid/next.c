/* SPDX-License-Identifier: BSD-3-Clause */

#include <dlfcn.h>

#include "next.h"

void *
next_definition(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}
