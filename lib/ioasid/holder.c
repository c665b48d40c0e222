/* SPDX-License-Identifier: BSD-3-Clause */

/* Who holds an IOMMU group: the kernel says only EBUSY or EPERM. */

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "process.h"

#define CDEV_DIR "/dev/vfio/devices/"

static void __attribute__((format(printf, 3, 4)))
append(char *buf, size_t size, const char *fmt, ...)
{
	size_t used = strlen(buf);
	va_list ap;

	if (used > 0 && used + 2 < size) {
		strcpy(buf + used, ", ");
		used += 2;
	}
	va_start(ap, fmt);
	vsnprintf(buf + used, size - used, fmt, ap);
	va_end(ap);
}

static bool
is_node_of_group(const struct ioasid_group_info *group, const char *path)
{
	const size_t cdev_dir = strlen(CDEV_DIR);
	char node[64];

	snprintf(node, sizeof(node), "/dev/vfio/%u", group->number);
	if (strcmp(path, node) == 0)
		return true;
	if (strncmp(path, CDEV_DIR, cdev_dir) != 0)
		return false;
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (group->members[i].cdev[0] != '\0' &&
		    strcmp(path + cdev_dir, group->members[i].cdev) == 0)
			return true;
	return false;
}

/* The first node of the group that a process has open; false: none, or may not look. */
static bool
process_node(const struct ioasid_group_info *group, const char *pid, char *node, size_t size)
{
	char dir[64], path[PATH_MAX];
	bool found = false;
	struct dirent *e;
	ssize_t n;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%.20s/fd", pid);
	d = opendir(dir);
	if (d == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n = readlink(path, node, size - 1);
		if (n <= 0)
			continue;
		node[n] = '\0';
		found = is_node_of_group(group, node);
	}
	closedir(d);
	return found;
}

static void
describe_process(const char *pid, const char *node, char *buf, size_t size)
{
	char name[PROCESS_NAME_SIZE];

	process_name(pid, name);
	append(buf, size, "process %s (%s) has %s open", pid, name, node);
}

static void
find_processes(const struct ioasid_group_info *group, char *buf, size_t size)
{
	char node[128], self[24];
	struct dirent *e;
	DIR *d;

	snprintf(self, sizeof(self), "%ld", (long)getpid());
	d = opendir("/proc");
	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) && strcmp(e->d_name, self) != 0 &&
		    process_node(group, e->d_name, node, sizeof(node)))
			describe_process(e->d_name, node, buf, size);
	closedir(d);
}

static void
find_drivers(const struct ioasid_group_info *group, char *buf, size_t size)
{
	for (unsigned int i = 0; i < group->nmembers; i++) {
		const struct ioasid_member *m = &group->members[i];

		/* pci-stub does no DMA, and the kernel tolerates it. */
		if (!ioasid_is_exempt(m) && m->driver[0] != '\0' && !ioasid_is_on_vfio(m) &&
		    strcmp(m->driver, "pci-stub") != 0)
			append(buf, size, "%s is held by the kernel driver %s", m->bdf, m->driver);
	}
}

void
holder_describe(const struct ioasid_group_info *info, char *buf, size_t size)
{
	buf[0] = '\0';
	find_drivers(info, buf, size);
	find_processes(info, buf, size);
}

int
ioasid_group_users(const char *devices, const char *bdf, char *buf, size_t size)
{
	struct ioasid_group_info *info;
	int ret;

	buf[0] = '\0';
	ret = ioasid_group_info_read(devices, bdf, &info);
	if (ret < 0)
		return ret;
	find_processes(info, buf, size);
	ioasid_group_info_free(info);
	return 0;
}
