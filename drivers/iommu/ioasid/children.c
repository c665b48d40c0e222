/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "options.h"

#define PLUGIN "librte_iommu_ioasid.so"
/* The dynamic linker's, in LD_PRELOAD. */
#define SEPARATORS ": "

static bool
is_plugin(const char *path, size_t length)
{
	const char *slash = memrchr(path, '/', length);
	const char *name = slash != NULL ? slash + 1 : path;

	return length - (size_t)(name - path) >= strlen(PLUGIN) &&
	       strncmp(name, PLUGIN, strlen(PLUGIN)) == 0;
}

static void
blank_plugin(char *list)
{
	while (*list != '\0') {
		size_t length = strcspn(list, SEPARATORS);

		if (is_plugin(list, length))
			memset(list, ' ', length);
		list += length;
		list += strspn(list, SEPARATORS);
	}
}

void
children_inherit_nothing(void)
{
	char *preload = getenv("LD_PRELOAD"), *words = getenv(OPTIONS_ENV);

	if (preload != NULL)
		blank_plugin(preload);
	if (words != NULL)
		memset(words, ' ', strlen(words));
}
