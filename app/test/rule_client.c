/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A DPDK application for the tests of the group rule in the lab, which can do what testpmd
 * has no words for. After EAL's arguments:
 *
 *	member BDF OTHER  set both up, release OTHER; after a line of input set it up again
 *	giveup BDF        bind BDF's group to a container of its own, set BDF up, destroy the
 *	                  container; waits for a line of input before and after
 *	halfway BDF       a set-up that fails for RLIMIT_MEMLOCK, then one that does not
 *
 * Prints what it did; exits with 0 if all of it went as it should.
 */

#include <inttypes.h>
#include <linux/vfio.h>
#include <sys/resource.h>

#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_vfio.h>

#include "client.h"

#define SYSFS "/sys/bus/pci/devices"

static void
say(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
}

static void
wait_for_line(void)
{
	char line[16];

	CHECK(fgets(line, sizeof(line), stdin) != NULL);
}

static int
set_up(const char *bdf)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int fd;

	return rte_vfio_setup_device(SYSFS, bdf, &fd, &info) == 0 ? fd : -1;
}

static void
member(const char *bdf, const char *other)
{
	int fd, other_fd;

	/* Named now, after EAL has probed: no PMD has them. */
	CHECK(rte_devargs_add(RTE_DEVTYPE_ALLOWED, bdf) == 0);
	CHECK(rte_devargs_add(RTE_DEVTYPE_ALLOWED, other) == 0);
	fd = set_up(bdf);
	other_fd = set_up(other);
	CHECK(fd >= 0 && other_fd >= 0);
	CHECK(rte_vfio_release_device(SYSFS, other, other_fd) == 0);
	say("released");
	wait_for_line();
	other_fd = set_up(other);
	CHECK(other_fd >= 0);
	CHECK(rte_vfio_release_device(SYSFS, bdf, fd) == 0);
	CHECK(rte_vfio_release_device(SYSFS, other, other_fd) == 0);
	say("all released");
	wait_for_line();
}

static void
giveup(const char *bdf)
{
	void *page = anonymous(PAGE);
	int container = rte_vfio_container_create(), group, fd;

	CHECK(container >= 0);
	CHECK(rte_vfio_get_group_num(SYSFS, bdf, &group) == 1);
	CHECK(rte_vfio_container_group_bind(container, group) >= 0);
	fd = set_up(bdf);
	CHECK(fd >= 0);
	CHECK(rte_vfio_container_dma_map(container, (uintptr_t)page, 0x10000000, PAGE) == 0);
	say("in a container");
	wait_for_line();
	CHECK(rte_vfio_container_destroy(container) == 0);
	say("given up");
	wait_for_line();
	CHECK(rte_vfio_release_device(SYSFS, bdf, fd) == 0);
}

static void
halfway(const char *bdf)
{
	struct rlimit all, few;
	int fd;

	CHECK(getrlimit(RLIMIT_MEMLOCK, &all) == 0);
	few = (struct rlimit){ .rlim_cur = 64 << 10, .rlim_max = all.rlim_max };
	CHECK(setrlimit(RLIMIT_MEMLOCK, &few) == 0);
	CHECK(set_up(bdf) < 0);
	say("failed half-way");
	CHECK(setrlimit(RLIMIT_MEMLOCK, &all) == 0);
	fd = set_up(bdf);
	CHECK(fd >= 0);
	say("set up");
	CHECK(rte_vfio_release_device(SYSFS, bdf, fd) == 0);
}

int
main(int argc, char **argv)
{
	int taken = rte_eal_init(argc, argv);

	CHECK(taken >= 0);
	argc -= taken;
	argv += taken;
	if (argc == 4 && strcmp(argv[1], "member") == 0)
		member(argv[2], argv[3]);
	else if (argc == 3 && strcmp(argv[1], "giveup") == 0)
		giveup(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "halfway") == 0)
		halfway(argv[2]);
	else
		CHECK(!"member BDF OTHER, giveup BDF, halfway BDF");
	return rte_eal_cleanup();
}
