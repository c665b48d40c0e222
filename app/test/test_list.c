/* SPDX-License-Identifier: BSD-3-Clause */

/* What there is in a context, for those who look: pages that continue by key. */

#include <limits.h>
#include <stdlib.h>

#include "test.h"

static void
nothing_is_listed_of_an_empty_context(void **state)
{
	struct ioasid_group_info *group;
	struct ioasid_device_info device;
	struct ioasid_info info;
	unsigned int total;

	(void)state;
	CHECK_OK(ioasid_free(ctx, ioas));
	total = 7;
	CHECK_EQ(ioasid_list(ctx, 0, &info, 1, &total), 0);
	CHECK_EQ(total, 0);
	total = 7;
	CHECK_EQ(ioasid_list_devices(ctx, "", &device, 1, &total), 0);
	CHECK_EQ(total, 0);
	total = 7;
	CHECK_EQ(ioasid_list_groups(ctx, 0, &group, 1, &total), 0);
	CHECK_EQ(total, 0);
	CHECK_RET(ioasid_find_device(ctx, NIC0, &device), -ENOENT);
}

static void
ioasids_are_listed_in_order_with_what_is_in_them(void **state)
{
	const uint32_t second = alloc(), third = alloc();
	struct ioasid_info infos[4];
	unsigned int total;

	(void)state;
	attach(join(NIC0), ioas);
	attach(join(NIC1), ioas);
	map(0, PAGE);
	map(2 * PAGE, 3 * PAGE);
	map(8 * PAGE, PAGE);
	CHECK_OK(ioasid_unmap(ctx, ioas, 8 * PAGE, PAGE));
	CHECK_OK(ioasid_map(ctx, third, VA, 0, PAGE, RW));
	CHECK_EQ(ioasid_list(ctx, 0, infos, 4, &total), 3);
	CHECK_EQ(total, 3);
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
	CHECK_EQ(infos[2].mapped, PAGE);
}

static void
ioasids_come_in_pages(void **state)
{
	const uint32_t second = alloc(), third = alloc();
	struct ioasid_info infos[3] = { { 0 } };
	unsigned int total;

	(void)state;
	CHECK_EQ(ioasid_list(ctx, 0, infos, 2, &total), 2);
	CHECK_EQ(total, 3);
	CHECK_EQ(infos[1].ioasid, second);
	CHECK_EQ(infos[2].ioasid, 0); /* not touched */
	CHECK_EQ(ioasid_list(ctx, second + 1, infos, 2, &total), 1);
	CHECK_EQ(total, 3);
	CHECK_EQ(infos[0].ioasid, third);
	CHECK_EQ(ioasid_list(ctx, third + 1, infos, 2, NULL), 0);
	CHECK_EQ(ioasid_list(ctx, UINT32_MAX, infos, 2, NULL), 0);
	CHECK_EQ(ioasid_list(ctx, 0, NULL, 0, &total), 0);
	CHECK_EQ(total, 3);
	/* What goes in between moves nothing: the key need not be there. */
	CHECK_OK(ioasid_free(ctx, ioas));
	CHECK_OK(ioasid_free(ctx, second));
	CHECK_EQ(ioasid_list(ctx, second, infos, 2, &total), 1);
	CHECK_EQ(total, 1);
	CHECK_EQ(infos[0].ioasid, third);
}

static void
devices_are_listed_in_order_with_where_they_are(void **state)
{
	struct ioasid_device *attached = join(NIC1), *joined = join(NIC0);
	struct ioasid_device_info devices[3];
	unsigned int total;

	(void)state;
	attach(attached, ioas);
	CHECK_EQ(ioasid_list_devices(ctx, "", devices, 3, &total), 2);
	CHECK_EQ(total, 2);
	CHECK_STR(devices[0].bdf, NIC0);
	CHECK_STR(devices[0].cdev, ioasid_device_cdev(joined));
	CHECK_EQ(devices[0].id, ioasid_device_id(joined));
	CHECK_EQ(devices[0].group, NIC0_GROUP);
	CHECK_EQ(devices[0].ioasid, 0);
	CHECK(!devices[0].held);
	CHECK_STR(devices[1].bdf, NIC1);
	CHECK_EQ(devices[1].group, NIC1_GROUP);
	CHECK_EQ(devices[1].ioasid, ioas);
	CHECK(!devices[1].held);
}

static void
devices_come_in_pages(void **state)
{
	struct ioasid_device_info devices[2];
	unsigned int total;

	(void)state;
	join(NIC1);
	join(GROUP_HD);
	join(NIC0);
	CHECK_EQ(ioasid_list_devices(ctx, "", devices, 2, &total), 2);
	CHECK_EQ(total, 3);
	CHECK_STR(devices[0].bdf, NIC0);
	CHECK_STR(devices[1].bdf, NIC1);
	CHECK_EQ(ioasid_list_devices(ctx, NIC1, devices, 2, &total), 2);
	CHECK_EQ(total, 3);
	CHECK_STR(devices[0].bdf, NIC1);
	CHECK_STR(devices[1].bdf, GROUP_HD);
	CHECK_EQ(ioasid_list_devices(ctx, GROUP_NIC, devices, 2, NULL), 1);
	CHECK_STR(devices[0].bdf, GROUP_HD);
	CHECK_EQ(ioasid_list_devices(ctx, "zzzz", devices, 2, NULL), 0);
	CHECK_EQ(ioasid_list_devices(ctx, "", NULL, 0, &total), 0);
	CHECK_EQ(total, 3);
	/* A key longer than any name is cut, not copied beyond. */
	CHECK_EQ(ioasid_list_devices(ctx, "0000:03:00.0-and-so-on-and-so-on-and-so-on", devices, 2,
				     NULL),
		 1);
}

/* A device that its group holds is listed and found as such. */
static void
held_devices_are_told_from_those_in_use(void **state)
{
	struct ioasid_device_info info;
	struct ioasid_device *hd;

	(void)state;
	attach(join_implicit(GROUP_NIC), ioas);
	hd = join(GROUP_HD);
	CHECK_OK(ioasid_find_device(ctx, GROUP_HD, &info));
	CHECK(!info.held);
	/* Where its group is, whether or not it was attached itself. */
	CHECK_EQ(info.ioasid, ioas);
	CHECK_EQ(info.group, THE_GROUP);
	CHECK_EQ(info.id, ioasid_device_id(hd));
	CHECK_STR(info.cdev, "vfio4");
	ioasid_leave(hd);
	CHECK_OK(ioasid_find_device(ctx, GROUP_HD, &info));
	CHECK(info.held);
	CHECK_EQ(ioasid_list_devices(ctx, GROUP_HD, &info, 1, NULL), 1);
	CHECK(info.held);
	CHECK_RET(ioasid_find_device(ctx, NIC0, &info), -ENOENT);
	CHECK_RET(ioasid_find_device(ctx, "01234567890123456789012345678901", &info), -ENOENT);
}

/* Maps */

static void
maps_are_listed_by_iova_in_pages(void **state)
{
	struct ioasid_map maps[4] = { 0 };

	(void)state;
	map(6 * PAGE, PAGE);
	map(0, 2 * PAGE);
	map(4 * PAGE, PAGE);
	CHECK_EQ(ioasid_list_maps(ctx, ioas, 0, maps, 2), 2);
	CHECK_EQ(maps[0].iova, 0);
	CHECK_EQ(maps[0].length, 2 * PAGE);
	CHECK_EQ(maps[0].va, VA);
	CHECK_EQ(maps[1].iova, 4 * PAGE);
	CHECK_EQ(maps[2].length, 0); /* not touched */
	CHECK_EQ(ioasid_list_maps(ctx, ioas, 4 * PAGE + 1, maps, 2), 1);
	CHECK_EQ(maps[0].iova, 6 * PAGE);
	CHECK_EQ(ioasid_list_maps(ctx, ioas, 6 * PAGE, maps, 2), 1);
	CHECK_EQ(ioasid_list_maps(ctx, ioas, 6 * PAGE + 1, maps, 2), 0);
	CHECK_EQ(ioasid_list_maps(ctx, ioas, UINT64_MAX, maps, 2), 0);
	CHECK_EQ(ioasid_list_maps(ctx, ioas, 0, maps, 4), 3);
	CHECK_EQ(ioasid_list_maps(ctx, ioas, 0, maps, 0), 0);
}

/* One that goes between two pages takes none with it. */
static void
pages_of_maps_do_not_move(void **state)
{
	struct ioasid_map maps[2];

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		map(i * PAGE, PAGE);
	CHECK_EQ(ioasid_list_maps(ctx, ioas, 0, maps, 2), 2);
	CHECK_OK(ioasid_unmap(ctx, ioas, 0, 2 * PAGE));
	CHECK_EQ(ioasid_list_maps(ctx, ioas, maps[1].iova + 1, maps, 2), 2);
	CHECK_EQ(maps[0].iova, 2 * PAGE);
	CHECK_EQ(maps[1].iova, 3 * PAGE);
}

static void
maps_of_no_ioasid_are_none(void **state)
{
	struct ioasid_map found;

	(void)state;
	map(0, PAGE);
	CHECK_EQ(ioasid_list_maps(ctx, ioas + 1, 0, &found, 1), 0);
}

/* Groups */

static void
check_standing(const struct ioasid_group_info *group, const char *bdf, enum ioasid_standing want)
{
	const struct ioasid_member *m = ioasid_group_member(group, bdf);

	CHECK(m != NULL);
	CHECK_EQ(m->standing, want);
}

static void
groups_are_listed_once_with_all_members(void **state)
{
	struct ioasid_group_info *groups[3];
	unsigned int total;

	(void)state;
	join(GROUP_HD);
	join(NIC0);
	join(GROUP_NIC);
	CHECK_EQ(ioasid_list_groups(ctx, 0, groups, 3, &total), 2);
	CHECK_EQ(total, 2);
	CHECK_EQ(groups[0]->number, NIC0_GROUP);
	CHECK_EQ(groups[1]->number, THE_GROUP);
	CHECK_EQ(groups[1]->nmembers, 3);
	CHECK_EQ(groups[1]->nreserved, 3);
	ioasid_group_info_free(groups[0]);
	ioasid_group_info_free(groups[1]);
}

static void
groups_come_in_pages(void **state)
{
	struct ioasid_group_info *groups[2];
	unsigned int total;

	(void)state;
	join(GROUP_HD);
	join(NIC0);
	join(NIC1);
	CHECK_EQ(ioasid_list_groups(ctx, NIC0_GROUP + 1, groups, 1, &total), 1);
	CHECK_EQ(total, 3);
	CHECK_EQ(groups[0]->number, NIC1_GROUP);
	ioasid_group_info_free(groups[0]);
	CHECK_EQ(ioasid_list_groups(ctx, NIC1_GROUP, groups, 2, NULL), 2);
	CHECK_EQ(groups[0]->number, NIC1_GROUP);
	CHECK_EQ(groups[1]->number, THE_GROUP);
	ioasid_group_info_free(groups[0]);
	ioasid_group_info_free(groups[1]);
	CHECK_EQ(ioasid_list_groups(ctx, THE_GROUP + 1, groups, 2, &total), 0);
	CHECK_EQ(ioasid_list_groups(ctx, UINT_MAX, groups, 2, &total), 0);
	CHECK_EQ(total, 3);
}

/* Who has joined, who is at risk, who is exempt: as soon as it is so. */
static void
groups_say_how_members_stand(void **state)
{
	struct ioasid_group_info *group;

	(void)state;
	join(GROUP_NIC);
	CHECK_EQ(ioasid_list_groups(ctx, 0, &group, 1, NULL), 1);
	check_standing(group, BRIDGE, IOASID_EXEMPT);
	check_standing(group, GROUP_NIC, IOASID_JOINED);
	check_standing(group, GROUP_HD, IOASID_AT_RISK);
	CHECK_EQ(ioasid_group_at_risk(group), 1);
	CHECK(ioasid_group_member(group, NIC0) == NULL);
	ioasid_group_info_free(group);
	join(GROUP_HD);
	CHECK_EQ(ioasid_list_groups(ctx, 0, &group, 1, NULL), 1);
	check_standing(group, GROUP_HD, IOASID_JOINED);
	CHECK_EQ(ioasid_group_at_risk(group), 0);
	ioasid_group_info_free(group);
}

/* What is listed is a copy of what was last read: no sysfs is read for it. */
static void
groups_are_listed_as_last_read(void **state)
{
	const struct fake_pci late = {
		.bdf = "0000:04:03.0", .group = THE_GROUP, .vendor = 0x1234, .device = 0x5678
	};
	struct ioasid_device *nic = join_implicit(GROUP_NIC);
	struct ioasid_group_info *group;
	unsigned int reads;

	(void)state;
	attach(nic, ioas);
	fake_plug(&late);
	reads = fake_count(FAKE_ANY);
	CHECK_EQ(ioasid_list_groups(ctx, 0, &group, 1, NULL), 1);
	CHECK_EQ(fake_count(FAKE_ANY), reads);
	CHECK_EQ(group->nmembers, 3);
	ioasid_group_info_free(group);
	ioasid_device_event(ctx, fake_sysfs(), late.bdf);
	CHECK_EQ(ioasid_list_groups(ctx, 0, &group, 1, NULL), 1);
	CHECK_EQ(group->nmembers, 4);
	check_standing(group, late.bdf, IOASID_AT_RISK);
	ioasid_group_info_free(group);
}

/* Its device is still joined, so it is still told. */
static void
group_of_a_device_that_is_gone_is_listed(void **state)
{
	struct ioasid_group_info *group;
	struct ioasid_device *dev = join(NIC0);
	unsigned int total;

	(void)state;
	fake_unplug(NIC0);
	CHECK_EQ(ioasid_list_groups(ctx, 0, &group, 1, &total), 1);
	CHECK_EQ(group->number, NIC0_GROUP);
	ioasid_group_info_free(group);
	ioasid_leave(dev);
	CHECK_EQ(ioasid_list_groups(ctx, 0, &group, 1, &total), 0);
	CHECK_EQ(total, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_listed_of_an_empty_context),
		TEST(ioasids_are_listed_in_order_with_what_is_in_them),
		TEST(ioasids_come_in_pages),
		TEST(devices_are_listed_in_order_with_where_they_are),
		TEST(devices_come_in_pages),
		TEST(held_devices_are_told_from_those_in_use),
		TEST(maps_are_listed_by_iova_in_pages),
		TEST(pages_of_maps_do_not_move),
		TEST(maps_of_no_ioasid_are_none),
		TEST(groups_are_listed_once_with_all_members),
		TEST(groups_come_in_pages),
		TEST(groups_say_how_members_stand),
		TEST(groups_are_listed_as_last_read),
		TEST(group_of_a_device_that_is_gone_is_listed),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
