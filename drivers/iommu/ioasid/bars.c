/* SPDX-License-Identifier: BSD-3-Clause */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "bars.h"

#define MAPS "/proc/self/maps"

struct mapping {
	uintptr_t begin;
	uintptr_t end;
	dev_t dev;
	ino_t ino;
};

/* A line begins with "begin-end rwxp offset major:minor inode". */
static bool
parse(const char *line, struct mapping *m)
{
	unsigned int major, minor;
	unsigned long long ino;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*x %x:%x %llu", &m->begin, &m->end, &major,
		   &minor, &ino) != 5)
		return false;
	m->dev = makedev(major, minor);
	m->ino = ino;
	return true;
}

/* Device nodes only: descriptors of other kinds share one inode. */
static unsigned int
find_nodes(struct stat *nodes, const int *fds, unsigned int n)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < n; i++)
		found += fstat(fds[i], &nodes[found]) == 0 && S_ISCHR(nodes[found].st_mode);
	return found;
}

static bool
is_of_any(const struct mapping *m, const struct stat *nodes, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (nodes[i].st_dev == m->dev && nodes[i].st_ino == m->ino)
			return true;
	return false;
}

static void
replace(const struct mapping *m)
{
	(void)mmap((void *)m->begin, m->end - m->begin, PROT_READ | PROT_WRITE,
		   MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void
replace_all(FILE *maps, const struct stat *nodes, unsigned int n)
{
	struct mapping m;
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, maps) > 0)
		if (parse(line, &m) && is_of_any(&m, nodes, n))
			replace(&m);
	free(line);
}

void
bars_unmap(const int *fds, unsigned int n)
{
	struct stat *nodes = calloc(n, sizeof(*nodes));
	unsigned int found = nodes != NULL ? find_nodes(nodes, fds, n) : 0;
	FILE *maps = found > 0 ? fopen(MAPS, "re") : NULL;

	if (maps != NULL) {
		replace_all(maps, nodes, found);
		fclose(maps);
	}
	free(nodes);
}
