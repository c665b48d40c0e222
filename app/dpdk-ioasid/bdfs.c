/* SPDX-License-Identifier: BSD-3-Clause */

#include <err.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "machine/files.h"
#include "machine/model.h"
#include "machine/pci.h"

bool
bdfs_has(const struct bdfs *bdfs, const char *bdf)
{
	for (unsigned int i = 0; i < bdfs->count; i++)
		if (strcmp(bdfs->bdf[i], bdf) == 0)
			return true;
	return false;
}

bool
bdfs_wanted(const struct device *device, const void *bdfs)
{
	return bdfs_has(bdfs, device->member.bdf);
}

void
bdfs_append(struct bdfs *bdfs, const char *bdf)
{
	if (bdfs_has(bdfs, bdf))
		return;
	bdfs->bdf = realloc(bdfs->bdf, (bdfs->count + 1) * sizeof(*bdfs->bdf));
	if (bdfs->bdf == NULL)
		err(STATUS_NO, "%s", bdf);
	strcpy(bdfs->bdf[bdfs->count++], bdf);
}

/* The PCI device of a network interface: the last address on the way to it. */
static bool
find_interface(const char *name, char bdf[IOASID_BDF_SIZE])
{
	const struct path link = machine_path("/sys/class/net/%s/device", name);
	char real[PATH_MAX], part[IOASID_BDF_SIZE], *save = NULL;
	bool found = false;

	if (name[0] == '.' || strchr(name, '/') != NULL || realpath(link.s, real) == NULL)
		return false;
	for (char *word = strtok_r(real, "/", &save); word != NULL;
	     word = strtok_r(NULL, "/", &save)) {
		if (!pci_parse(word, part))
			continue;
		strcpy(bdf, part);
		found = true;
	}
	return found;
}

void
bdfs_add(struct bdfs *bdfs, const char *arg, struct argp_state *state)
{
	char bdf[IOASID_BDF_SIZE];
	struct path path;

	if (!pci_parse(arg, bdf) && !find_interface(arg, bdf))
		argp_error(state,
			   "\"%s\" is not a PCI address such as 0000:01:00.0, and no network "
			   "interface of a PCI device",
			   arg);
	path = machine_path("/sys/bus/pci/devices/%s", bdf);
	if (!machine_exists(&path))
		argp_failure(state, STATUS_USAGE, 0, "there is no PCI device %s", bdf);
	bdfs_append(bdfs, bdf);
}

void
bdfs_free(struct bdfs *bdfs)
{
	free(bdfs->bdf);
}

void
complain(const char *bdf, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "dpdk-ioasid: %s: ", bdf);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
}
