/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Interfaces in other network namespaces. sysfs shows those of one only, so a child enters each
 * and asks each interface there for its device (netdevice(7), ETHTOOL_GDRVINFO).
 */

#include <ctype.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libmount.h>

#include "machine/files.h"
#include "machine/netns.h"

struct search {
	const char *bdf;
	char *where;
	size_t size;
	unsigned int nseen;
	ino_t *seen; /* each namespace once */
};

static bool
is_of_device(int fd, const char *name, const char *bdf)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_data = (char *)&info;
	return ioctl(fd, SIOCETHTOOL, &request) == 0 && strcmp(info.bus_info, bdf) == 0;
}

/* In the namespace: print the interface's name. */
static void
look(const char *bdf, int output)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *all = if_nameindex();

	for (struct if_nameindex *i = all; fd >= 0 && i != NULL && i->if_name != NULL; i++)
		if (is_of_device(fd, i->if_name, bdf))
			dprintf(output, "%s", i->if_name);
}

/* A child, since who enters a namespace stays there. */
static bool
look_in(int namespace, const char *bdf, char name[IFNAMSIZ])
{
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		if (setns(namespace, CLONE_NEWNET) == 0)
			look(bdf, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	n = pid > 0 ? read(fds[0], name, IFNAMSIZ - 1) : 0;
	name[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	machine_printable(name);
	return name[0] != '\0';
}

static bool
is_new(struct search *s, int namespace)
{
	struct stat st;

	if (fstat(namespace, &st) < 0)
		return false;
	for (unsigned int i = 0; i < s->nseen; i++)
		if (s->seen[i] == st.st_ino)
			return false;
	s->seen = list_grow(s->seen, s->nseen, sizeof(*s->seen));
	s->seen[s->nseen++] = st.st_ino;
	return true;
}

static bool
try(struct search *s, const struct path *path, const char *whose)
{
	const int fd = open(path->s, O_RDONLY | O_CLOEXEC);
	char name[IFNAMSIZ];
	bool found;

	if (fd < 0)
		return false;
	found = is_new(s, fd) && look_in(fd, s->bdf, name);
	close(fd);
	if (found)
		snprintf(s->where, s->size, "%s of %s", name, whose);
	return found;
}

static bool
try_process(struct search *s, const char *pid)
{
	const struct path path = machine_path("/proc/%s/ns/net", pid);
	const struct path comm = machine_path("/proc/%s/comm", pid);
	char name[32], whose[64];

	if (machine_line(&comm, name, sizeof(name)) < 0)
		strcpy(name, "?");
	snprintf(whose, sizeof(whose), "process %.20s (%s)", pid, name);
	return try(s, &path, whose);
}

static bool
try_processes(struct search *s)
{
	const struct path dir = machine_path("/proc");
	bool found = false;
	char **names;
	int n = machine_list(&dir, &names);

	for (int i = 0; i < n && !found; i++)
		found = isdigit((unsigned char)names[i][0]) && try_process(s, names[i]);
	machine_list_free(names, n);
	return found;
}

/* Those that `ip netns` and container engines keep by a mount, without a process. */
static bool
try_mounts(struct search *s)
{
	const struct path mounts = machine_path("/proc/self/mountinfo");
	struct libmnt_table *table = mnt_new_table_from_file(mounts.s);
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	bool found = false;

	while (table != NULL && iter != NULL && !found &&
	       mnt_table_next_fs(table, iter, &fs) == 0) {
		const char *target = mnt_fs_get_target(fs), *type = mnt_fs_get_fstype(fs);
		struct path path;

		if (target == NULL || type == NULL || strcmp(type, "nsfs") != 0)
			continue;
		path = machine_path("%s", target);
		found = try(s, &path, target);
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
	return found;
}

bool
netns_find(const char *bdf, char *where, size_t size)
{
	struct search s = { bdf, where, size, 0, NULL };
	const struct path own = machine_path("/proc/self/ns/net");
	const int fd = open(own.s, O_RDONLY | O_CLOEXEC);
	bool found = false;

	/* Another machine's processes are not to be entered. */
	if (fd >= 0 && !machine_is_saved()) {
		is_new(&s, fd);
		found = try_processes(&s) || try_mounts(&s);
	}
	if (fd >= 0)
		close(fd);
	free(s.seen);
	machine_printable(where);
	return found;
}
