/* SPDX-License-Identifier: BSD-3-Clause */

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/pins.h"

#define CURRENT PIN_DIRECTORY "/guard"
#define NEXT    PIN_DIRECTORY "/guard-new"

const char *const pin_names[PIN_COUNT] = {
	[PIN_IOCTL] = "ioctl",       [PIN_IOCTL_COMPAT] = "ioctl_compat",
	[PIN_ADDED] = "added",       [PIN_ATTACHED] = "attached",
	[PIN_POLICY] = "policy",     [PIN_PROOF] = "proof",
	[PIN_DEVICES] = "devices",   [PIN_GROUPS] = "groups",
	[PIN_UIDS] = "uids",         [PIN_CGROUPS] = "cgroups",
	[PIN_COUNTERS] = "counters", [PIN_RECORDS] = "records",
};

static struct pin_path
path_in(const char *directory, enum pin pin)
{
	struct pin_path path = { "" };

	snprintf(path.s, sizeof(path.s), "%s/%s", directory, pin_names[pin]);
	return path;
}

struct pin_path
pin_path(enum pin pin)
{
	return path_in(CURRENT, pin);
}

struct pin_path
pin_path_new(enum pin pin)
{
	return path_in(NEXT, pin);
}

static bool
failed(const char *path, const char *what)
{
	fprintf(stderr, "dpdk-ioasid guard: %s: %s: %s\n", path, what, strerror(errno));
	return false;
}

/* The directory as it is now, and not one that was removed while this waited. */
static bool
is_in_place(int lock)
{
	struct stat mine, there;

	return fstat(lock, &mine) == 0 && stat(PIN_DIRECTORY, &there) == 0 &&
	       mine.st_ino == there.st_ino;
}

int
pins_lock(void)
{
	for (;;) {
		int lock;

		if (mkdir(PIN_DIRECTORY, 0700) < 0 && errno != EEXIST)
			break;
		lock = open(PIN_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (lock < 0 && errno != ENOENT)
			break;
		if (lock >= 0 && flock(lock, LOCK_EX) == 0 && is_in_place(lock))
			return lock;
		if (lock >= 0)
			close(lock);
	}
	failed(PIN_DIRECTORY, "cannot be locked");
	return -1;
}

void
pins_unlock(int lock)
{
	/* Without a guard there is nothing left of it. */
	rmdir(PIN_DIRECTORY);
	close(lock);
}

/* ---- directories */

static bool
remove_directory(const char *directory)
{
	DIR *d = opendir(directory);
	bool good = true;
	struct dirent *e;

	if (d == NULL)
		return errno == ENOENT || failed(directory, "cannot be read");
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && unlinkat(dirfd(d), e->d_name, 0) < 0)
			good = failed(e->d_name, "cannot be removed");
	closedir(d);
	return good && (rmdir(directory) == 0 || failed(directory, "cannot be removed"));
}

bool
pins_prepare(void)
{
	return remove_directory(NEXT) && (mkdir(NEXT, 0700) == 0 || failed(NEXT, "cannot be made"));
}

void
pins_discard(void)
{
	remove_directory(NEXT);
}

bool
pins_replace(void)
{
	return remove_directory(CURRENT) &&
	       (rename(NEXT, CURRENT) == 0 || failed(CURRENT, "cannot be put in place"));
}

bool
pins_remove(void)
{
	const bool next = remove_directory(NEXT);

	return remove_directory(CURRENT) && next;
}

/* ---- what is there */

int
pins_open(enum pin pin)
{
	const struct pin_path path = pin_path(pin);
	const int fd = bpf_obj_get(path.s);

	return fd >= 0 ? fd : -errno;
}

static enum pins_state
read_policy(struct guard_policy *policy)
{
	const __u32 zero = 0;
	int fd = pins_open(PIN_POLICY), err;

	if (fd < 0)
		return fd == -ENOENT ? PINS_BROKEN : PINS_UNKNOWN;
	memset(policy, 0, sizeof(*policy));
	err = bpf_map_lookup_elem(fd, &zero, policy);
	close(fd);
	return err == 0 && policy->format == GUARD_FORMAT ? PINS_THERE : PINS_UNKNOWN;
}

enum pins_state
pins_read(struct guard_policy *policy)
{
	const enum pin needed[] = { PIN_IOCTL, PIN_ADDED, PIN_ATTACHED, PIN_POLICY };

	/* One that was about to take the place of another is in force, too. */
	if (access(NEXT, F_OK) == 0)
		return PINS_BROKEN;
	if (access(CURRENT, F_OK) < 0)
		return errno == ENOENT ? PINS_NONE : PINS_UNKNOWN;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		const struct pin_path path = pin_path(needed[i]);

		if (access(path.s, F_OK) < 0)
			return PINS_BROKEN;
	}
	return read_policy(policy);
}
