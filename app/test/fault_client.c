/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A DPDK application for devtools/tests: each allocation in the kernel fails once while
 *
 *	a container is made; memory is mapped in one, and unmapped; a live device's group moves
 *	there; a device is opened, joins, is attached to DPDK's memory, and is released
 *
 * (That of devices not where there is ACPI, which is asked for their power: Linux's uses an object
 * that it could not allocate, acpi_ut_update_object_reference(), and kills the process.)
 *
 * fault_client EAL-ARGUMENTS -- BDF
 *
 * What failed has left nothing, and then succeeds. Exits with 0 if all of it went so.
 */

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_vfio.h>

#include "client.h"
#include "fail_nth.h"
#include "group_client.h"

#define SYSFS "/sys/bus/pci/devices"

enum { LENGTH = 2 << 20, IOVA = 0x10000000 };

static const char *bdf;
static int device = -1, container = -1, group;
static char *memory;

/* `before` and `after` without failures; `go` with one: 0, or what is as it was `before`. */
struct step {
	const char *name;
	void (*before)(void);
	int (*go)(void);
	void (*undo)(void);
	void (*after)(void);
};

static void
nothing(void)
{
}

static int
set_up(void)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	return rte_vfio_setup_device(SYSFS, bdf, &device, &info) == 0 ? 0 : -1;
}

static void
release(void)
{
	CHECK(rte_vfio_release_device(SYSFS, bdf, device) == 0);
}

static int
create(void)
{
	container = rte_vfio_container_create();
	return container >= 0 ? 0 : -1;
}

static void
destroy(void)
{
	CHECK(rte_vfio_container_destroy(container) == 0);
}

/* A live device goes from DPDK's memory to a container, and back to nowhere. */
static void
set_up_and_create(void)
{
	CHECK(set_up() == 0);
	CHECK(create() == 0);
}

static int
bind_group(void)
{
	return rte_vfio_container_group_bind(container, group) >= 0 ? 0 : -1;
}

static void
unbind_group(void)
{
	CHECK(rte_vfio_container_group_unbind(container, group) == 0);
}

static void
destroy_and_release(void)
{
	destroy();
	release();
}

static void
create_checked(void)
{
	CHECK(create() == 0);
}

static int
map(void)
{
	return rte_vfio_container_dma_map(container, (uintptr_t)memory, IOVA, LENGTH);
}

static int
unmap(void)
{
	return rte_vfio_container_dma_unmap(container, (uintptr_t)memory, IOVA, LENGTH);
}

static void
unmap_checked(void)
{
	CHECK(unmap() == 0);
}

static void
create_and_map(void)
{
	CHECK(create() == 0);
	CHECK(map() == 0);
}

static void
map_checked(void)
{
	CHECK(map() == 0);
}

static void
unmap_and_destroy(void)
{
	unmap_checked();
	destroy();
}

static const struct step steps[] = {
	{ "container", nothing, create, destroy, nothing },
	{ "map", create_checked, map, unmap_checked, destroy },
	{ "unmap", create_and_map, unmap, map_checked, unmap_and_destroy },
	{ "move", set_up_and_create, bind_group, unbind_group, destroy_and_release },
};
static const struct step of_devices = { "device", nothing, set_up, release, nothing };

static int
open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	CHECK(dir != NULL);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Returns whether there was something left to fail. */
static bool
go(const struct step *step, int fd, int nth, int *refused)
{
	int ret, left;

	fail_nth_arm(fd, nth);
	ret = step->go();
	left = fail_nth_disarm(fd);
	if (ret == 0)
		step->undo();
	else
		++*refused;
	CHECK(left == 0 || ret == 0);
	return left == 0;
}

static void
inject(const struct step *step, int fd)
{
	int refused = 0, files, nth = 1;

	step->before();
	CHECK(step->go() == 0);
	step->undo();
	files = open_files();
	while (go(step, fd, nth, &refused)) {
		CHECK(++nth < 5000);
		CHECK(open_files() == files);
		CHECK(step->go() == 0);
		step->undo();
	}
	step->after();
	printf("%s: of %d failures %d were refusals\n", step->name, nth - 1, refused);
}

int
main(int argc, char **argv)
{
	const int taken = rte_eal_init(argc, argv);
	int fd;

	CHECK(taken >= 0 && argc - taken == 2);
	bdf = argv[taken + 1];
	memory = anonymous(LENGTH);
	CHECK(rte_devargs_add(RTE_DEVTYPE_ALLOWED, bdf) == 0);
	CHECK(rte_vfio_get_group_num(SYSFS, bdf, &group) > 0);
	fd = fail_nth_open();
	for (size_t i = 0; i < RTE_DIM(steps); i++)
		inject(&steps[i], fd);
	if (access("/sys/firmware/acpi", F_OK) != 0)
		inject(&of_devices, fd);
	return rte_eal_cleanup();
}
