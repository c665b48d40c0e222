/* SPDX-License-Identifier: BSD-3-Clause */

/* IOMMU groups as read from sysfs, which may be missing, strange or hostile. */

#include <limits.h>
#include <stdlib.h>

#include "test.h"

/* Read, for the checks of one test; the group lives until the test's end. */
static struct ioasid_group *group;

static int
setup(void **state)
{
	group = NULL;
	return setup_machine(state);
}

static int
end(void **state)
{
	ioasid_group_free(group);
	group = NULL;
	return teardown(state);
}

#define TEST_GROUP(f) cmocka_unit_test_setup_teardown(f, setup, end)

static int
read_group(const char *bdf)
{
	return ioasid_group_read(fake_sysfs(), bdf, &group);
}

static const struct ioasid_member *
member(const char *bdf)
{
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (strcmp(group->members[i].bdf, bdf) == 0)
			return &group->members[i];
	fail_msg("%s is not in the group", bdf);
	return NULL;
}

/* What is read */

static void
members_are_read_in_bdf_order(void **state)
{
	(void)state;
	CHECK_OK(read_group(GROUP_HD));
	CHECK_EQ(group->number, THE_GROUP);
	CHECK_EQ(group->nmembers, 3);
	CHECK_STR(group->members[0].bdf, BRIDGE);
	CHECK_STR(group->members[1].bdf, GROUP_NIC);
	CHECK_STR(group->members[2].bdf, GROUP_HD);
}

static void
any_member_names_the_group(void **state)
{
	const char *const bdfs[] = { BRIDGE, GROUP_NIC, GROUP_HD };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bdfs); i++) {
		CHECK_OK(read_group(bdfs[i]));
		CHECK_EQ(group->nmembers, 3);
		ioasid_group_free(group);
		group = NULL;
	}
}

static void
ids_class_driver_and_cdev_are_read(void **state)
{
	const struct ioasid_member *m;

	(void)state;
	CHECK_OK(read_group(GROUP_HD));
	m = member(GROUP_HD);
	CHECK_EQ(m->vendor, 0x1000);
	CHECK_EQ(m->device, 0x0012);
	CHECK_EQ(m->class_code, 0x010000);
	CHECK_STR(m->driver, "vfio-pci");
	CHECK_STR(m->cdev, "vfio4");
	CHECK(!m->bridge);
	m = member(BRIDGE);
	CHECK_EQ(m->class_code, 0x060400);
	CHECK_STR(m->driver, "");
	CHECK_STR(m->cdev, "");
	CHECK(m->bridge);
}

static void
kernel_driver_has_no_cdev(void **state)
{
	(void)state;
	fake_set_driver(GROUP_HD, "sym53c8xx");
	CHECK_OK(read_group(GROUP_NIC));
	CHECK_STR(member(GROUP_HD)->driver, "sym53c8xx");
	CHECK_STR(member(GROUP_HD)->cdev, "");
}

static void
reserved_regions_of_all_members_are_read(void **state)
{
	const struct ioasid_reserved want[] = {
		{ { MSI_START, MSI_LAST }, "msi" },
		{ { HD_START, HD_LAST }, "reserved" },
		{ { RELAXABLE_START, RELAXABLE_LAST }, "direct-relaxable" },
	};

	(void)state;
	CHECK_OK(read_group(GROUP_NIC));
	CHECK_EQ(group->nreserved, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		CHECK_EQ(group->reserved[i].range.start, want[i].range.start);
		CHECK_EQ(group->reserved[i].range.last, want[i].range.last);
		CHECK_STR(group->reserved[i].type, want[i].type);
	}
}

static void
no_reserved_regions(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", "");
	CHECK_OK(read_group(NIC0));
	CHECK_EQ(group->nreserved, 0);
	CHECK_EQ(group->nmembers, 1);
}

static void
region_up_to_the_end_of_the_address_space(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions",
			 "0x0000000000000000 0xffffffffffffffff reserved\n");
	CHECK_OK(read_group(NIC0));
	CHECK_EQ(group->reserved[0].range.start, 0);
	CHECK_EQ(group->reserved[0].range.last, UINT64_MAX);
}

static void
group_changes_with_hotplug(void **state)
{
	struct fake_pci added = pci_group_nic;

	(void)state;
	added.bdf = "0000:04:1f.7";
	fake_plug(&added);
	CHECK_OK(read_group(GROUP_NIC));
	CHECK_EQ(group->nmembers, 4);
	ioasid_group_free(group);
	group = NULL;
	fake_unplug(added.bdf);
	fake_unplug(GROUP_HD);
	CHECK_OK(read_group(GROUP_NIC));
	CHECK_EQ(group->nmembers, 2);
	CHECK_EQ(group->nreserved, 1);
}

/* PCI domains may have more than four digits, and not all members are on PCI. */
static void
other_names_of_devices(void **state)
{
	const char *const names[] = { "10000:e1:00.0", "deadbeef:ff:1f.7", "arm-smmu-v3.0.auto" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct fake_pci pci = { .bdf = names[i], .group = 50 + (uint32_t)i };

		fake_plug(&pci);
		CHECK_OK(read_group(names[i]));
		CHECK_STR(group->members[0].bdf, names[i]);
		ioasid_group_free(group);
		group = NULL;
	}
}

/* Bridges: to be exempt must be proven by a header of type 1 or 2. */

static const struct {
	uint8_t header;
	bool bridge;
} headers[] = {
	{ 0x00, false }, { 0x80, false }, /* endpoint; of a multi-function device */
	{ 0x01, true },  { 0x81, true },  /* PCI-to-PCI bridge */
	{ 0x02, true },  { 0x82, true },  /* CardBus bridge */
	{ 0x03, false }, { 0x7f, false }, /* unknown types */
	{ 0xff, false },                  /* device does not answer */
};

static void
header_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct fake_pci pci = { .bdf = "0000:20:00.0", .group = 60 };

		pci.header = headers[i].header;
		fake_plug(&pci);
		CHECK_OK(read_group(pci.bdf));
		print_message("header type 0x%02x\n", pci.header);
		CHECK_EQ(group->members[0].bridge, headers[i].bridge);
		ioasid_group_free(group);
		group = NULL;
		fake_unplug(pci.bdf);
	}
}

static void
bridge_without_config_is_an_endpoint(void **state)
{
	(void)state;
	fake_sysfs_write(BRIDGE, "config", NULL);
	CHECK_OK(read_group(GROUP_NIC));
	CHECK(!member(BRIDGE)->bridge);
}

/* The kernel shows only 64 bytes to some, and may show fewer. */
static void
bridge_with_short_config_is_an_endpoint(void **state)
{
	(void)state;
	fake_sysfs_write(BRIDGE, "config", "12345678901234");
	CHECK_OK(read_group(GROUP_NIC));
	CHECK(!member(BRIDGE)->bridge);
}

static void
bridge_with_unreadable_config_is_an_endpoint(void **state)
{
	(void)state;
	fake_sysfs_mkdir(BRIDGE, "config");
	CHECK_OK(read_group(GROUP_NIC));
	CHECK(!member(BRIDGE)->bridge);
}

/* A class of "bridge" proves nothing: what the kernel goes by is the header. */
static void
class_code_makes_no_bridge(void **state)
{
	struct fake_pci pci = { .bdf = "0000:20:00.0", .group = 60, .class_code = 0x060400 };

	(void)state;
	fake_plug(&pci);
	CHECK_OK(read_group(pci.bdf));
	CHECK(!group->members[0].bridge);
}

/* Names given by the user become a part of a path. */

static const char *const bad_names[] = {
	"",
	".",
	"..",
	"../devices",
	("../" NIC0),
	"0000:01:00.0/../0000:02:00.0",
	"/",
	"/etc",
	("./" NIC0),
	".hidden",
	(NIC0 "/"),
	"0123456789012345678901234567890", /* 31 characters fit, but there is no such device */
	"01234567890123456789012345678901",
	"0000:01:00.0000000000000000000000000000000000000000000000000000000000000000000000",
};

static void
bad_names_are_no_devices(void **state)
{
	unsigned int number;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++) {
		print_message("\"%s\"\n", bad_names[i]);
		CHECK_ERR(read_group(bad_names[i]), ENODEV);
		CHECK_ERR(ioasid_group_number(fake_sysfs(), bad_names[i], &number), ENODEV);
		CHECK(!ioasid_is_vfio(fake_sysfs(), bad_names[i]));
	}
}

static void
unknown_device(void **state)
{
	(void)state;
	CHECK_ERR(read_group("0000:77:00.0"), ENODEV);
	CHECK_SAYS("0000:77:00.0");
	CHECK_SAYS("no such device");
}

static void
sysfs_that_is_not_there(void **state)
{
	char deep[PATH_MAX + 64];

	(void)state;
	CHECK_ERR(ioasid_group_read("/nonexistent", NIC0, &group), ENODEV);
	memset(deep, '/', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	CHECK_ERR(ioasid_group_read(deep, NIC0, &group), ENODEV);
	CHECK(!ioasid_is_vfio(deep, NIC0));
}

static void
device_without_iommu(void **state)
{
	struct fake_pci pci = { .bdf = "0000:20:00.0", .group = FAKE_NO_GROUP };

	(void)state;
	fake_plug(&pci);
	CHECK_ERR(read_group(pci.bdf), ENOENT);
	CHECK_SAYS(pci.bdf);
	CHECK_SAYS("has no IOMMU group");
	CHECK_SAYS("intel_iommu=on");
}

/* Hostile text in sysfs */

static const char *const bad_numbers[] = {
	"",
	"x",
	"-1",
	"+1",
	" 1",
	"1x",
	"1.5",
	"0x1",
	"4294967296",
	"99999999999999999999",
	"-18446744073709551615",
	"1234567890123456789012345678901234567890",
};

static void
bad_group_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_numbers); i++) {
		unsigned int number = 7;
		char target[80];
		int ret;

		snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%s", bad_numbers[i]);
		fake_sysfs_symlink(NIC0, "iommu_group", target);
		print_message("\"%s\"\n", bad_numbers[i]);
		ret = ioasid_group_number(fake_sysfs(), NIC0, &number);
		/* An overlong one is not read at all. */
		CHECK(ret == -EPROTO || (ret == -ENOENT && strlen(bad_numbers[i]) > 31));
		CHECK_EQ(number, 7);
		CHECK_SAYS(NIC0);
	}
}

static void
good_group_numbers(void **state)
{
	const struct {
		const char *target;
		unsigned int number;
	} rows[] = {
		{ "../../../kernel/iommu_groups/0", 0 },
		{ "../../../kernel/iommu_groups/4294967295", UINT_MAX },
		{ "17", 17 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int number = 7;

		fake_sysfs_symlink(NIC0, "iommu_group", rows[i].target);
		CHECK_OK(ioasid_group_number(fake_sysfs(), NIC0, &number));
		CHECK_EQ(number, rows[i].number);
	}
}

static const char *const bad_regions[] = {
	"\n",
	"garbage\n",
	"0x0\n",
	"0x0 0x1\n",
	"0x0 msi 0x1\n",
	"0x2 0x1 msi\n",
	"- - -\n",
	"0x0 0xzz msi\n",
	"-1 5 msi\n",
	"0x0 0x1 msi\n0x2 0x1 msi\n",
	"0x0 0x1 msi\n\n",
	/* One line with more than fits in any buffer. */
	("0x0 0x1 msiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
	 "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
	 "\n"),
	/* Wider than an IOVA. */
	"0x10000000000000000 0x1ffffffffffffffff msi\n",
};

static void
bad_reserved_regions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_regions); i++) {
		fake_sysfs_write(NIC0, "iommu_group/reserved_regions", bad_regions[i]);
		print_message("\"%s\"\n", bad_regions[i]);
		CHECK_ERR(read_group(NIC0), EPROTO);
		CHECK_SAYS("reserved_regions");
		CHECK_SAYS(NIC0);
	}
}

static void
missing_reserved_regions(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", NULL);
	CHECK_ERR(read_group(NIC0), EPROTO);
	CHECK_SAYS("reserved_regions");
}

/* A type that this library does not know is one that may not be used. */
static void
unknown_type_of_region(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions",
			 "0x1000 0x1fff a-type-that-comes-with-a-later-kernel\n");
	CHECK_OK(read_group(NIC0));
	CHECK_EQ(group->nreserved, 1);
	CHECK_STR(group->reserved[0].type, "a-type-that-comes-with-");
}

static void
missing_members(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/devices", NULL);
	CHECK_ERR(read_group(NIC0), EPROTO);
	CHECK_SAYS("devices");
}

static void
dangling_group(void **state)
{
	(void)state;
	fake_sysfs_symlink(NIC0, "iommu_group", "../../../kernel/iommu_groups/99");
	CHECK_ERR(read_group(NIC0), EPROTO);
}

static void
member_with_an_overlong_name(void **state)
{
	(void)state;
	fake_sysfs_symlink(NIC0, "iommu_group/devices/01234567890123456789012345678901", "x");
	CHECK_ERR(read_group(NIC0), EPROTO);
	CHECK_SAYS("01234567890123456789012345678901");
}

/* A member that vanishes while it is read: an endpoint of which nothing is known. */
static void
member_without_files_is_an_endpoint(void **state)
{
	(void)state;
	fake_sysfs_symlink(NIC0, "iommu_group/devices/0000:01:00.1", "gone");
	CHECK_OK(read_group(NIC0));
	CHECK_EQ(group->nmembers, 2);
	CHECK_STR(group->members[1].bdf, "0000:01:00.1");
	CHECK(!group->members[1].bridge);
	CHECK_EQ(group->members[1].vendor, 0);
	CHECK_EQ(group->members[1].class_code, 0);
	CHECK_STR(group->members[1].driver, "");
	CHECK_STR(group->members[1].cdev, "");
}

static void
garbage_in_a_members_files(void **state)
{
	char longest[80];

	(void)state;
	memset(longest, 'd', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	fake_sysfs_write(NIC0, "vendor", "not a number");
	fake_sysfs_write(NIC0, "class", "");
	fake_sysfs_symlink(NIC0, "driver", longest);
	fake_sysfs_mkdir(NIC0, "vfio-dev");
	snprintf(longest, sizeof(longest), "vfio-dev/%.40s",
		 "vfio0123456789012345678901234567890123");
	fake_sysfs_mkdir(NIC0, longest);
	CHECK_OK(read_group(NIC0));
	CHECK_EQ(member(NIC0)->vendor, 0);
	CHECK_EQ(member(NIC0)->class_code, 0);
	CHECK_STR(member(NIC0)->driver, "");
	CHECK_STR(member(NIC0)->cdev, "");
}

/* is_vfio, group_free */

static void
is_vfio(void **state)
{
	(void)state;
	CHECK(ioasid_is_vfio(fake_sysfs(), NIC0));
	CHECK(!ioasid_is_vfio(fake_sysfs(), BRIDGE));
	CHECK(!ioasid_is_vfio(fake_sysfs(), "0000:77:00.0"));
	fake_set_driver(NIC0, "igb");
	CHECK(!ioasid_is_vfio(fake_sysfs(), NIC0));
	fake_set_driver(NIC0, NULL);
	CHECK(!ioasid_is_vfio(fake_sysfs(), NIC0));
	fake_set_driver(NIC0, "vfio-pci");
	fake_sysfs_mkdir(NIC0, "vfio-dev");
	CHECK(!ioasid_is_vfio(fake_sysfs(), NIC0));
}

static void
number_needs_no_members(void **state)
{
	unsigned int number;

	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/devices", NULL);
	CHECK_OK(ioasid_group_number(fake_sysfs(), NIC0, &number));
	CHECK_EQ(number, NIC0_GROUP);
}

static void
free_of_null_does_nothing(void **state)
{
	(void)state;
	ioasid_group_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_GROUP(members_are_read_in_bdf_order),
		TEST_GROUP(any_member_names_the_group),
		TEST_GROUP(ids_class_driver_and_cdev_are_read),
		TEST_GROUP(kernel_driver_has_no_cdev),
		TEST_GROUP(reserved_regions_of_all_members_are_read),
		TEST_GROUP(no_reserved_regions),
		TEST_GROUP(region_up_to_the_end_of_the_address_space),
		TEST_GROUP(group_changes_with_hotplug),
		TEST_GROUP(other_names_of_devices),
		TEST_GROUP(header_types),
		TEST_GROUP(bridge_without_config_is_an_endpoint),
		TEST_GROUP(bridge_with_short_config_is_an_endpoint),
		TEST_GROUP(bridge_with_unreadable_config_is_an_endpoint),
		TEST_GROUP(class_code_makes_no_bridge),
		TEST_GROUP(bad_names_are_no_devices),
		TEST_GROUP(unknown_device),
		TEST_GROUP(sysfs_that_is_not_there),
		TEST_GROUP(device_without_iommu),
		TEST_GROUP(bad_group_numbers),
		TEST_GROUP(good_group_numbers),
		TEST_GROUP(bad_reserved_regions),
		TEST_GROUP(missing_reserved_regions),
		TEST_GROUP(unknown_type_of_region),
		TEST_GROUP(missing_members),
		TEST_GROUP(dangling_group),
		TEST_GROUP(member_with_an_overlong_name),
		TEST_GROUP(member_without_files_is_an_endpoint),
		TEST_GROUP(garbage_in_a_members_files),
		TEST_GROUP(is_vfio),
		TEST_GROUP(number_needs_no_members),
		TEST_GROUP(free_of_null_does_nothing),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
