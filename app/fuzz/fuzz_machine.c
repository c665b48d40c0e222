/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * `dpdk-ioasid check` on a machine that is only files, an archive of which is the input: what
 * reads them, what judges, and what prints that.
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pci/pci.h>

#include "command.h"
#include "fuzz.h"
#include "judge/judge.h"
#include "machine/files.h"
#include "view/view.h"

/* ---- the files */

static char root[] = "/dev/shm/dpdk-ioasid-fuzz.XXXXXX";

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	return ftw->level > 0 ? remove(path) : 0;
}

static void
remove_files(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
remove_root(void)
{
	remove_files();
	rmdir(root);
}

static void
make_root(void)
{
	static bool made;

	if (made)
		return;
	made = true;
	assert(mkdtemp(root) != NULL && setenv(ROOT_ENV, root, 1) == 0);
	atexit(remove_root);
}

/* With no way up nothing is outside. */
static bool
is_inside(const char *path)
{
	return path[0] == '/' && strstr(path, "..") == NULL && strlen(path) < 256;
}

/* What a process has open is told as it calls it itself, and only read as text. */
static bool
is_open_file(const struct fuzz_entry *entry)
{
	return strncmp(entry->path, "/proc/", 6) == 0 && strstr(entry->path, "/fd/") != NULL &&
	       (strncmp(entry->target, "/dev/vfio/", 10) == 0 ||
		strchr(entry->target, '/') == NULL);
}

static void
make_directories(char *path)
{
	for (char *at = strchr(path + strlen(root) + 1, '/'); at != NULL;
	     at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
}

static void
make_file(const struct fuzz_entry *entry, char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 && errno == ENOENT) {
		make_directories(path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	}
	if (fd < 0)
		return;
	if (write(fd, entry->content, entry->size) < 0)
		abort();
	close(fd);
}

static void
make_link(const struct fuzz_entry *entry, const char *path)
{
	const bool as_is = is_open_file(entry);
	char target[PATH_MAX];

	if (!as_is && !is_inside(entry->target))
		return;
	snprintf(target, sizeof(target), "%s%s", as_is ? "" : root, entry->target);
	/* Two of a name: the first one stays. */
	if (symlink(target, path) < 0)
		return;
}

/* All directories are there before the first link, so that nothing is made through one. */
static void
make_entries(const struct fuzz_entry *entries, unsigned int n)
{
	char path[PATH_MAX];

	for (int links = 0; links <= 1; links++) {
		for (unsigned int i = 0; i < n; i++) {
			if (!is_inside(entries[i].path))
				continue;
			snprintf(path, sizeof(path), "%s%s", root, entries[i].path);
			if (links == 1 && entries[i].target != NULL)
				make_link(&entries[i], path);
			else if (links == 0 && entries[i].target != NULL)
				make_directories(path);
			else if (links == 0)
				make_file(&entries[i], path);
		}
	}
}

/* In libpci's place, which would read its list of all names there are, a megabyte, each time. */
char *
pci_lookup_name(struct pci_access *access, char *buf, int size, int flags, ...)
{
	(void)access;
	snprintf(buf, (size_t)size, "name of kind %#x", (unsigned int)flags);
	return buf;
}

/* ---- check */

static bool
is_wanted(const struct device *device, const void *arg)
{
	(void)device;
	(void)arg;
	return true;
}

/* As `check` without a name, and as with all of them. */
static struct report
examine(struct bdfs *bdfs)
{
	struct report report = { .machine = machine_read(is_wanted, NULL) };
	const unsigned int n = report.machine->ndevices;

	report.opinions = calloc(n + 1, sizeof(*report.opinions));
	assert(report.opinions != NULL);
	for (unsigned int i = 0; bdfs->count < n && i < n; i++)
		bdfs_append(bdfs, report.machine->devices[i].member.bdf);
	for (unsigned int i = 0; i < n; i++)
		report.opinions[report.count++] =
			judge(report.machine, &report.machine->devices[i], bdfs);
	return report;
}

/* The worst of what was found, or better where that is not known. */
static void
check_opinion(const struct opinion *opinion)
{
	assert(opinion->verdict <= VERDICT_CANNOT);
	assert(opinion->reason != NULL);
	for (unsigned int i = 0; i < opinion->nfindings; i++) {
		const struct finding *finding = &opinion->findings[i];

		if (finding->outcome == OUTCOME_BAD)
			assert(opinion->verdict >= finding->judgement->bad);
		if (finding->outcome == OUTCOME_UNKNOWN)
			assert(opinion->verdict >= finding->judgement->unknown);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *const shown = stdout;
	struct fuzz_entry entries[FUZZ_ENTRIES];
	char *text = fuzz_text(data, size);
	struct bdfs bdfs = { 0 };
	struct report report;
	unsigned int n;

	make_root();
	n = fuzz_archive(text, size, entries);
	make_entries(entries, n);
	report = examine(&bdfs);
	for (unsigned int i = 0; i < report.count; i++)
		check_opinion(report.opinions[i]);
	stdout = fuzz_nowhere();
	view_text(&report);
	view_json(&report);
	stdout = shown;
	report_free(&report);
	bdfs_free(&bdfs);
	remove_files();
	free(text);
	return 0;
}
