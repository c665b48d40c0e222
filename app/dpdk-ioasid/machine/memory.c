/* SPDX-License-Identifier: BSD-3-Clause */

/* Hugepages: Documentation/admin-guide/mm/hugetlbpage.rst. */

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libmount.h>

#include "machine/files.h"
#include "machine/model.h"

/* ---- how many there are */

static uint64_t
read_count(const char *dir, const char *file)
{
	struct path path;

	snprintf(path.s, sizeof(path.s), "%.4000s/%s", dir, file);
	return machine_number(&path, 10).n;
}

/* The sizes of hugepages that directories of sysfs hold. */
static void
add_pages(struct memory *memory, const char *where)
{
	struct path pattern = machine_path("%s/hugepages-*kB", where);
	glob_t found;

	if (glob(pattern.s, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *dir = found.gl_pathv[i], *node = strstr(dir, "/node/node");
		struct hugepages *pages;

		memory->pages = list_grow(memory->pages, memory->npages, sizeof(*memory->pages));
		pages = &memory->pages[memory->npages++];
		pages->node = node != NULL ? atoi(node + strlen("/node/node")) : -1;
		pages->size = 1024 * strtoull(strrchr(dir, '/') + strlen("/hugepages-"), NULL, 10);
		pages->total = read_count(dir, "nr_hugepages");
		pages->free = read_count(dir, "free_hugepages");
		memory->bytes += pages->total * pages->size;
	}
	globfree(&found);
}

static bool
any_free(const struct memory *memory)
{
	for (unsigned int i = 0; i < memory->npages; i++)
		if (memory->pages[i].free > 0)
			return true;
	return false;
}

/* ---- where they are mounted, and by which files they are held */

/* EAL holds a lock on each of its files as long as it runs. */
static bool
is_unlocked(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool unlocked;

	if (fd < 0)
		return false;
	unlocked = flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return unlocked;
}

static void
add_files(struct hugetlbfs *mount)
{
	const struct path dir = machine_path("%s", mount->path);
	char **names;
	int n = machine_list(&dir, &names);

	for (int i = 0; i < n; i++) {
		struct path path = machine_path("%s/%s", mount->path, names[i]);
		struct stat st;

		if (lstat(path.s, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		mount->nfiles++;
		mount->bytes += 512 * (uint64_t)st.st_blocks;
		if (is_unlocked(path.s))
			mount->unlocked += 512 * (uint64_t)st.st_blocks;
	}
	machine_list_free(names, n);
}

/* "pagesize=2M" */
static uint64_t
page_size(struct libmnt_fs *fs)
{
	const char *options = mnt_fs_get_fs_options(fs);
	char *value = NULL, *unit;
	size_t length = 0;
	uint64_t size;

	if (options == NULL || mnt_optstr_get_option(options, "pagesize", &value, &length) != 0 ||
	    length == 0)
		return 0;
	size = strtoull(value, &unit, 10);
	return *unit == 'K'   ? size << 10
	       : *unit == 'M' ? size << 20
	       : *unit == 'G' ? size << 30
			      : 0;
}

static void
add_mount(struct memory *memory, struct libmnt_fs *fs)
{
	const char *target = mnt_fs_get_target(fs), *type = mnt_fs_get_fstype(fs);
	struct hugetlbfs *mount;

	if (target == NULL || type == NULL || strcmp(type, "hugetlbfs") != 0)
		return;
	memory->mounts = list_grow(memory->mounts, memory->nmounts, sizeof(*memory->mounts));
	mount = &memory->mounts[memory->nmounts++];
	snprintf(mount->path, sizeof(mount->path), "%s", target);
	mount->size = page_size(fs);
	/* The files are of interest where they are in the way. */
	if (!any_free(memory))
		add_files(mount);
	machine_printable(mount->path);
}

static void
add_mounts(struct memory *memory)
{
	const struct path path = machine_path("/proc/self/mountinfo");
	struct libmnt_table *table = mnt_new_table_from_file(path.s);
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	if (table != NULL && iter != NULL) {
		memory->mounts_known = YES;
		while (mnt_table_next_fs(table, iter, &fs) == 0)
			add_mount(memory, fs);
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
}

void
memory_read(struct machine *machine)
{
	struct memory *memory = &machine->memory;
	struct rlimit limit = { 0 };

	add_pages(memory, "/sys/devices/system/node/node*/hugepages");
	if (memory->npages == 0)
		add_pages(memory, "/sys/kernel/mm/hugepages");
	add_mounts(memory);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		memory->unlimited = limit.rlim_cur == RLIM_INFINITY;
		memory->limit = limit.rlim_cur;
		memory->hard_limit = limit.rlim_max;
	}
}
