/* SPDX-License-Identifier: BSD-3-Clause */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "noiommu.h"
#include "options.h"

#define SWITCH "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

static void
read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");

	line[0] = '\0';
	if (f == NULL)
		return;
	if (fgets(line, (int)size, f) == NULL)
		line[0] = '\0';
	fclose(f);
}

/* The kernel lists each IOMMU that is in use. */
static bool
has_iommu(void)
{
	DIR *dir = opendir("/sys/class/iommu");
	const struct dirent *e;
	bool found = false;

	if (dir == NULL)
		return false;
	while (!found && (e = readdir(dir)) != NULL)
		found = e->d_name[0] != '.';
	closedir(dir);
	return found;
}

bool
noiommu_machine(void)
{
	char on[8];

	read_line(SWITCH, on, sizeof(on));
	return on[0] == 'Y' && !has_iommu();
}

/* VFIO gives a device without IOMMU a group of this name. */
bool
noiommu_device(const char *sysfs, const char *bdf)
{
	char path[PATH_MAX], name[32];

	snprintf(path, sizeof(path), "%s/%s/iommu_group/name", sysfs, bdf);
	read_line(path, name, sizeof(name));
	return strncmp(name, "vfio-noiommu", strlen("vfio-noiommu")) == 0;
}

int
noiommu_check(const char *bdf)
{
	if (!options.allow_insecure) {
		IOASID_LOG(
			ERR,
			"%s refused: there is no IOMMU behind it (VFIO's no-IOMMU mode), it could "
			"reach all\n  memory of this machine. Switch the IOMMU on, or accept the "
			"risk: --allow-insecure-vfio",
			bdf);
		return -EPERM;
	}
	IOASID_LOG(WARNING,
		   "%s has NO IOMMU: it can reach ALL memory of this machine "
		   "(--allow-insecure-vfio)",
		   bdf);
	return 0;
}
