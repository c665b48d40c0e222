/* SPDX-License-Identifier: BSD-3-Clause */

/* What there is in a context, for those who look. */

#include <limits.h>
#include <stdlib.h>

#include "test.h"

static void
nothing_is_listed_of_an_empty_context(void **state)
{
	struct ioasid_device_info *devices;
	struct ioasid_group **groups;
	struct ioasid_info *infos;
	unsigned int count;

	(void)state;
	CHECK_OK(ioasid_free(ctx, ioas));
	CHECK_OK(ioasid_list(ctx, &infos, &count));
	CHECK_EQ(count, 0);
	free(infos);
	CHECK_OK(ioasid_list_devices(ctx, &devices, &count));
	CHECK_EQ(count, 0);
	free(devices);
	CHECK_OK(ioasid_list_groups(ctx, &groups, &count));
	CHECK_EQ(count, 0);
	ioasid_list_groups_free(groups, count);
}

static void
ioasids_are_listed_in_order_with_what_is_in_them(void **state)
{
	const uint32_t second = alloc(), third = alloc();
	struct ioasid_info *infos;
	unsigned int count;

	(void)state;
	attach(join(NIC0), ioas);
	attach(join(NIC1), ioas);
	map(0, PAGE);
	map(2 * PAGE, 3 * PAGE);
	map(8 * PAGE, PAGE);
	CHECK_OK(ioasid_unmap(ctx, ioas, 8 * PAGE, PAGE));
	CHECK_OK(ioasid_map(ctx, third, VA, 0, PAGE, RW));
	CHECK_OK(ioasid_list(ctx, &infos, &count));
	CHECK_EQ(count, 3);
	CHECK_EQ(infos[0].ioasid, ioas);
	CHECK_EQ(infos[0].ndevices, 2);
	CHECK_EQ(infos[0].nmaps, 2);
	CHECK_EQ(infos[0].mapped, 4 * PAGE);
	CHECK_EQ(infos[1].ioasid, second);
	CHECK_EQ(infos[1].ndevices, 0);
	CHECK_EQ(infos[1].nmaps, 0);
	CHECK_EQ(infos[1].mapped, 0);
	CHECK_EQ(infos[2].ioasid, third);
	CHECK_EQ(infos[2].nmaps, 1);
	free(infos);
}

static void
devices_are_listed_in_order_with_where_they_are(void **state)
{
	struct ioasid_device *attached = join(NIC1), *joined = join(NIC0);
	struct ioasid_device_info *devices;
	unsigned int count;

	(void)state;
	attach(attached, ioas);
	CHECK_OK(ioasid_list_devices(ctx, &devices, &count));
	CHECK_EQ(count, 2);
	CHECK_STR(devices[0].bdf, NIC0);
	CHECK_STR(devices[0].cdev, ioasid_device_cdev(joined));
	CHECK_EQ(devices[0].id, ioasid_device_id(joined));
	CHECK_EQ(devices[0].group, NIC0_GROUP);
	CHECK_EQ(devices[0].ioasid, 0);
	CHECK_STR(devices[1].bdf, NIC1);
	CHECK_EQ(devices[1].group, NIC1_GROUP);
	CHECK_EQ(devices[1].ioasid, ioas);
	free(devices);
}

/* Pages */

static unsigned int
page_of_maps(unsigned int first, unsigned int room, struct ioasid_map *maps)
{
	unsigned int count = room;

	CHECK_OK(ioasid_list_maps(ctx, ioas, first, maps, &count));
	return count;
}

static void
maps_are_listed_by_iova_in_pages(void **state)
{
	struct ioasid_map maps[4] = { 0 };

	(void)state;
	map(6 * PAGE, PAGE);
	map(0, 2 * PAGE);
	map(4 * PAGE, PAGE);
	CHECK_EQ(page_of_maps(0, 2, maps), 2);
	CHECK_EQ(maps[0].iova, 0);
	CHECK_EQ(maps[0].length, 2 * PAGE);
	CHECK_EQ(maps[1].iova, 4 * PAGE);
	CHECK_EQ(maps[2].length, 0); /* not touched */
	CHECK_EQ(page_of_maps(2, 2, maps), 1);
	CHECK_EQ(maps[0].iova, 6 * PAGE);
	CHECK_EQ(page_of_maps(3, 2, maps), 0);
	CHECK_EQ(page_of_maps(UINT_MAX, 2, maps), 0);
	CHECK_EQ(page_of_maps(0, 4, maps), 3);
	CHECK_EQ(page_of_maps(0, 0, maps), 0);
}

static void
maps_of_no_ioasid_are_none(void **state)
{
	struct ioasid_map map;
	unsigned int count = 1;

	(void)state;
	CHECK_RET(ioasid_list_maps(ctx, ioas + 1, 0, &map, &count), -ENOENT);
	CHECK_EQ(count, 0);
}

/* Groups */

static void
groups_are_listed_once_with_all_members(void **state)
{
	struct ioasid_group **groups;
	unsigned int count;

	(void)state;
	join(GROUP_HD);
	join(NIC0);
	join(GROUP_NIC);
	CHECK_OK(ioasid_list_groups(ctx, &groups, &count));
	CHECK_EQ(count, 2);
	CHECK_EQ(groups[0]->number, NIC0_GROUP);
	CHECK_EQ(groups[1]->number, THE_GROUP);
	CHECK_EQ(groups[1]->nmembers, 3);
	ioasid_list_groups_free(groups, count);
}

/* As after hot-plug: not what it was when the device joined. */
static void
groups_are_read_anew(void **state)
{
	const struct fake_pci late = {
		.bdf = "0000:04:03.0", .group = THE_GROUP, .vendor = 0x1234, .device = 0x5678
	};
	struct ioasid_group **groups;
	unsigned int count;

	(void)state;
	join(GROUP_NIC);
	fake_plug(&late);
	CHECK_OK(ioasid_list_groups(ctx, &groups, &count));
	CHECK_EQ(count, 1);
	CHECK_EQ(groups[0]->nmembers, 4);
	ioasid_list_groups_free(groups, count);
}

static void
group_of_a_device_that_is_gone_is_left_out(void **state)
{
	struct ioasid_group **groups;
	unsigned int count;

	(void)state;
	join(NIC0);
	join(NIC1);
	fake_unplug(NIC0);
	CHECK_OK(ioasid_list_groups(ctx, &groups, &count));
	CHECK_EQ(count, 1);
	CHECK_EQ(groups[0]->number, NIC1_GROUP);
	ioasid_list_groups_free(groups, count);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_listed_of_an_empty_context),
		TEST(ioasids_are_listed_in_order_with_what_is_in_them),
		TEST(devices_are_listed_in_order_with_where_they_are),
		TEST(maps_are_listed_by_iova_in_pages),
		TEST(maps_of_no_ioasid_are_none),
		TEST(groups_are_listed_once_with_all_members),
		TEST(groups_are_read_anew),
		TEST(group_of_a_device_that_is_gone_is_left_out),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
