/* SPDX-License-Identifier: BSD-3-Clause */

#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "in_use.h"
#include "machine.h"

typedef bool (*used_fn)(const char *name, char *why, size_t size);

static bool
is_below(const struct path *path, const char *bdf)
{
	char real[PATH_MAX], part[64];

	snprintf(part, sizeof(part), "/%s/", bdf);
	return realpath(path->s, real) != NULL && strstr(real, part) != NULL;
}

/*
 * A disk of NVMe with several paths lies below none of its controllers: they are linked
 * from the directory that it is in.
 */
static bool
is_path_to(const struct path *disk, const char *bdf)
{
	char real[PATH_MAX], *slash;
	bool found = false;
	struct dirent *e;
	DIR *d;

	if (realpath(disk->s, real) == NULL || strstr(real, "/nvme-subsystem/") == NULL)
		return false;
	slash = strstr(strstr(real, "/nvme-subsystem/") + strlen("/nvme-subsystem/"), "/");
	if (slash == NULL)
		return false;
	*slash = '\0';
	d = opendir(real);
	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		struct path controller;

		if (snprintf(controller.s, sizeof(controller.s), "%s/%s", real, e->d_name) <
		    (int)sizeof(controller.s))
			found = e->d_type == DT_LNK && is_below(&controller, bdf);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

/* Disks */

/* What a line of /proc/self/mountinfo says is mounted from the disk; "" if nothing. */
static void
mounted_at(const char *line, const char *number, const char *name, char *at, size_t size)
{
	char device[32], directory[PATH_MAX], source[PATH_MAX];
	const char *rest = strstr(line, " - ");
	char node[PATH_MAX];

	at[0] = '\0';
	if (rest == NULL || sscanf(line, "%*s %*s %31s %*s %4095s", device, directory) != 2 ||
	    sscanf(rest, " - %*s %4095s", source) != 1)
		return;
	snprintf(node, sizeof(node), "/dev/%s", name);
	if (strcmp(device, number) == 0 || strcmp(source, node) == 0)
		snprintf(at, size, "%.*s", (int)size - 1, directory);
}

static bool
is_mounted(const char *name, char *why, size_t size)
{
	const struct path mounts = machine_path("/proc/self/mountinfo");
	const struct path dev = machine_path("/sys/class/block/%s/dev", name);
	char number[32], at[1024] = "", *line = NULL;
	size_t space = 0;
	FILE *f;

	machine_line(&dev, number, sizeof(number));
	f = fopen(mounts.s, "re");
	while (f != NULL && at[0] == '\0' && getline(&line, &space, f) > 0)
		mounted_at(line, number, name, at, sizeof(at));
	free(line);
	if (f != NULL)
		fclose(f);
	snprintf(why, size, "disk %s is mounted at %s", name, at);
	return at[0] != '\0';
}

static bool
is_swap(const char *name, char *why, size_t size)
{
	const struct path swaps = machine_path("/proc/swaps");
	FILE *f = fopen(swaps.s, "re");
	char line[1024], node[300];
	bool found = false;

	snprintf(node, sizeof(node), "/dev/%s ", name);
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strncmp(line, node, strlen(node)) == 0;
	if (f != NULL)
		fclose(f);
	snprintf(why, size, "disk %s is used as swap", name);
	return found;
}

/* The first entry of a directory that begins so; false: none. */
static bool
first_entry(const struct path *dir, const char *prefix, char *name, size_t size)
{
	DIR *d = opendir(dir->s);
	bool found = false;
	struct dirent *e;

	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		found = e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0;
		if (found)
			snprintf(name, size, "%s", e->d_name + strlen(prefix));
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static bool
is_used_disk(const char *name, char *why, size_t size)
{
	const struct path holders = machine_path("/sys/class/block/%s/holders", name);
	char holder[256];

	if (is_mounted(name, why, size) || is_swap(name, why, size))
		return true;
	if (!first_entry(&holders, "", holder, sizeof(holder)))
		return false;
	snprintf(why, size, "disk %s is part of %s", name, holder);
	return true;
}

/* Network interfaces */

/* Every interface that is up has a link-local address: that is no use. */
static bool
text_of(const struct sockaddr *a, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *in6 = (const void *)a;
	const struct sockaddr_in *in = (const void *)a;

	if (a == NULL)
		return false;
	if (a->sa_family == AF_INET)
		return inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN) != NULL;
	return a->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) &&
	       inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN) != NULL;
}

static bool
has_address(const char *name, char *why, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (struct ifaddrs *a = all; !found && a != NULL; a = a->ifa_next)
		found = strcmp(a->ifa_name, name) == 0 && text_of(a->ifa_addr, text);
	freeifaddrs(all);
	if (found)
		snprintf(why, size, "network interface %s has the address %s", name, text);
	return found;
}

static bool
is_used_interface(const char *name, char *why, size_t size)
{
	const struct path dir = machine_path("/sys/class/net/%s", name);
	char upper[256];

	if (has_address(name, why, size))
		return true;
	if (!first_entry(&dir, "upper_", upper, sizeof(upper)))
		return false;
	snprintf(why, size, "network interface %s is part of %s", name, upper);
	return true;
}

/* Whether one of the devices of a class that belong to the PCI device is in use. */
static bool
search(const char *class, const char *bdf, used_fn used, char *why, size_t size)
{
	const struct path dir = machine_path("/sys/class/%s", class);
	DIR *d = opendir(dir.s);
	bool found = false;
	struct dirent *e;

	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		const struct path path = machine_path("/sys/class/%s/%s", class, e->d_name);

		if (e->d_name[0] != '.' && (is_below(&path, bdf) || is_path_to(&path, bdf)))
			found = used(e->d_name, why, size);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

bool
in_use(const char *bdf, char *why, size_t size)
{
	if (search("net", bdf, is_used_interface, why, size) ||
	    search("block", bdf, is_used_disk, why, size))
		return true;
	why[0] = '\0';
	return false;
}
