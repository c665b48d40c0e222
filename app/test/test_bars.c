/* SPDX-License-Identifier: BSD-3-Clause */

/* Mappings of device nodes are taken away, and those of nothing else: /dev/zero is a node, too. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bars.h"
#include "test.h"

#define SIZE 8192

static bool
is_mapped(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[512];

	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL)
		found = found || strstr(line, name) != NULL;
	fclose(maps);
	return found;
}

static char *
map_node(int fd, off_t offset, int flags)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, offset);

	CHECK(p != MAP_FAILED);
	return p;
}

static void
devices_are_unmapped_and_files_are_not(void **state)
{
	int fds[3] = { open("/dev/zero", O_RDWR | O_CLOEXEC), memfd_create("file", MFD_CLOEXEC),
		       -1 };
	char *bars[2], *file;

	(void)state;
	CHECK(fds[0] >= 0 && fds[1] >= 0);
	CHECK_EQ(ftruncate(fds[1], SIZE), 0);
	bars[0] = map_node(fds[0], 0, MAP_PRIVATE);
	bars[1] = map_node(fds[0], SIZE, MAP_PRIVATE);
	file = map_node(fds[1], 0, MAP_SHARED);
	strcpy(file, "kept");
	CHECK(is_mapped("/dev/zero"));
	bars_unmap(fds, 3);
	CHECK(!is_mapped("/dev/zero"));
	CHECK(is_mapped("memfd:file"));
	CHECK_STR(file, "kept");
	/* Whoever comes late finds memory there. */
	memset(bars[0], 1, SIZE);
	memset(bars[1], 1, SIZE);
	CHECK_EQ(bars[1][SIZE - 1], 1);
	munmap(bars[0], SIZE);
	munmap(bars[1], SIZE);
	munmap(file, SIZE);
	close(fds[0]);
	close(fds[1]);
}

static void
others_of_the_kind_stay(void **state)
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC),
	    null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *p = map_node(fd, 0, MAP_PRIVATE);

	(void)state;
	bars_unmap(&null, 1);
	bars_unmap(NULL, 0);
	CHECK(is_mapped("/dev/zero"));
	munmap(p, SIZE);
	close(fd);
	close(null);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_unmapped_and_files_are_not),
		cmocka_unit_test(others_of_the_kind_stay),
	};

	return cmocka_run_group_tests_name("bars", tests, NULL, NULL);
}
