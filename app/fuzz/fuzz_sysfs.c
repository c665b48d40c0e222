/* SPDX-License-Identifier: BSD-3-Clause */

/* What lib/ioasid reads in sysfs and procfs: the input is an archive of these files. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fuzz.h"
#include "ioasid.h"
#include "sys.h"
#include "sysfs.h"

#define DEVICES "/sys/bus/pci/devices"

static struct fuzz_entry entries[FUZZ_ENTRIES];
static unsigned int nentries;

/* ---- the files */

/* A path without its "NAME/..", as the kernel finds it where NAME is no link. */
static void
normalize(const char *path, char out[PATH_MAX])
{
	size_t used = 0;

	assert(path[0] == '/' && strlen(path) < PATH_MAX);
	while (*path != '\0') {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 2 && strncmp(path, "..", 2) == 0) {
			while (used > 0 && out[--used] != '/')
				;
		} else if (n > 0) {
			out[used++] = '/';
			memcpy(out + used, path, n);
			used += n;
		}
		path += n;
	}
	out[used] = '\0';
}

static const struct fuzz_entry *
find(const char *path)
{
	char whole[PATH_MAX];

	normalize(path, whole);
	for (unsigned int i = 0; i < nentries; i++)
		if (strcmp(entries[i].path, whole) == 0)
			return &entries[i];
	return NULL;
}

static ssize_t
fuzz_read_file(const char *path, void *buf, size_t size)
{
	const struct fuzz_entry *entry = path[0] != '\0' ? find(path) : NULL;

	if (entry == NULL || entry->target != NULL)
		return -ENOENT;
	size = size < entry->size ? size : entry->size;
	memcpy(buf, entry->content, size);
	return (ssize_t)size;
}

static int
fuzz_read_link(const char *path, char *buf, size_t size)
{
	const struct fuzz_entry *entry = path[0] != '\0' ? find(path) : NULL;

	if (entry == NULL)
		return -ENOENT;
	if (entry->target == NULL)
		return -EINVAL;
	if (strlen(entry->target) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, entry->target);
	return 0;
}

/* The name that a path has right below a directory, and its length; 0: it is not there. */
static size_t
name_below(const char *directory, const char *path, const char **name)
{
	const size_t n = strlen(directory);

	if (strncmp(path, directory, n) != 0 || path[n] != '/')
		return 0;
	*name = path + n + 1;
	return strcspn(*name, "/");
}

static bool
is_listed(struct dirent *const *list, int n, const char *name, size_t length)
{
	for (int i = 0; i < n; i++)
		if (strncmp(list[i]->d_name, name, length) == 0 && list[i]->d_name[length] == '\0')
			return true;
	return false;
}

static int
by_name(const void *a, const void *b)
{
	return alphasort((const struct dirent **)a, (const struct dirent **)b);
}

/* As scandir() does; the kernel has no longer names. */
static int
fuzz_list(const char *path, struct dirent ***out)
{
	struct dirent **list = calloc(FUZZ_ENTRIES, sizeof(*list));
	char directory[PATH_MAX];
	bool there = false;
	int n = 0;

	assert(list != NULL);
	normalize(path[0] != '\0' ? path : "/", directory);
	for (unsigned int i = 0; i < nentries; i++) {
		const char *name = "";
		const size_t length = name_below(directory, entries[i].path, &name);

		there |= length > 0;
		if (length == 0 || length >= sizeof(list[0]->d_name) || name[0] == '.' ||
		    is_listed(list, n, name, length))
			continue;
		list[n] = calloc(1, sizeof(*list[n]));
		assert(list[n] != NULL);
		memcpy(list[n++]->d_name, name, length);
	}
	if (!there) {
		free(list);
		return -ENOENT;
	}
	qsort(list, (size_t)n, sizeof(*list), by_name);
	*out = list;
	return n;
}

static const struct ioasid_sys sys_fuzz = {
	.read_file = fuzz_read_file,
	.read_link = fuzz_read_link,
	.list = fuzz_list,
};

/* ---- who reads them */

/* What does not succeed says why. */
static int
said(int ret)
{
	assert(ret >= 0 || ioasid_error()[0] != '\0');
	error_set(1, "%s", "");
	return ret;
}

static void
check_member(const struct ioasid_group_info *info, const struct ioasid_member *m)
{
	char physical[IOASID_BDF_SIZE];
	bool is_physical;
	dev_t rdev;

	assert(ioasid_group_member(info, m->bdf) != NULL);
	/* A whole address, or who prints it breaks a line or a path. */
	assert(m->bdf[0] != '\0' && strchr(m->bdf, '/') == NULL);
	assert(strchr(m->driver, '/') == NULL && strchr(m->cdev, '/') == NULL);
	assert((m->standing == IOASID_EXEMPT) == ioasid_is_exempt(m));
	if (m->cdev[0] != '\0')
		assert(ioasid_is_on_vfio(m));
	said(sysfs_cdev_number(DEVICES, m, &rdev));
	said(sysfs_is_physical_function(DEVICES, m->bdf, &is_physical));
	if (said(ioasid_physical_function(DEVICES, m->bdf, physical)) > 0)
		assert(strlen(physical) < sizeof(physical));
}

/* A member that is there is known, or the rule would not ask for it. */
static void
check_members(const struct ioasid_group_info *info)
{
	char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), "/sys/kernel/iommu_groups/%u/devices", info->number);
	for (unsigned int i = 0; i < nentries; i++) {
		const char *name = "";
		const size_t length = name_below(directory, entries[i].path, &name);

		if (length > 0 && name[length] == '\0' && name[0] != '.' && length <= NAME_MAX &&
		    entries[i].target != NULL && find(entries[i].path) == &entries[i])
			assert(ioasid_group_member(info, name) != NULL);
	}
}

static void
check_group(struct ioasid_group_info *info)
{
	unsigned int at_risk = 0;

	check_members(info);
	for (unsigned int i = 0; i < info->nmembers; i++) {
		check_member(info, &info->members[i]);
		at_risk += info->members[i].standing == IOASID_AT_RISK;
	}
	assert(ioasid_group_at_risk(info) == at_risk);
	for (unsigned int i = 0; i < info->nreserved; i++) {
		assert(info->reserved[i].range.start <= info->reserved[i].range.last);
		sysfs_reserves(&info->reserved[i]);
	}
	ioasid_group_info_free(info);
}

static void
check_device(const char *name)
{
	struct ioasid_group_info *info;

	said(ioasid_is_vfio(DEVICES, name));
	if (said(ioasid_group_info_read(DEVICES, name, &info)) == 0)
		check_group(info);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct dirent **list;
	int n;

	ioasid_sys = &sys_fuzz;
	nentries = fuzz_archive(text, size, entries);
	said(ioasid_kernel_is_noiommu());
	said(ioasid_kernel_lacks_cdevs());
	n = fuzz_list(DEVICES, &list);
	for (int i = 0; i < n; i++) {
		check_device(list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	free(text);
	return 0;
}
