/* SPDX-License-Identifier: BSD-3-Clause */

/* IOMMU groups as read from sysfs, which may be missing, strange or hostile. */

#include <limits.h>
#include <stdlib.h>

#include "test.h"

/* Read, for the checks of one test; the group lives until the test's end. */
static struct ioasid_group_info *group;

static int
setup(void **state)
{
	group = NULL;
	return setup_machine(state);
}

static int
end(void **state)
{
	ioasid_group_info_free(group);
	group = NULL;
	return teardown(state);
}

#define TEST_GROUP(f) cmocka_unit_test_setup_teardown(f, setup, end)

static int
read_group(const char *bdf)
{
	return ioasid_group_info_read(fake_sysfs(), bdf, &group);
}

static const struct ioasid_member *
member(const char *bdf)
{
	const struct ioasid_member *m = ioasid_group_member(group, bdf);

	if (m == NULL)
		fail_msg("%s is not in the group", bdf);
	return m;
}

/* As it is by now. */
static int
read_again(const char *bdf)
{
	ioasid_group_info_free(group);
	group = NULL;
	return read_group(bdf);
}

/* Not read, and nothing of it is given out. */
static void
check_unreadable(const char *bdf, int err, const char *says)
{
	CHECK_ERR(read_again(bdf), err);
	CHECK(group == NULL);
	CHECK_SAYS(says);
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
		ioasid_group_info_free(group);
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
	CHECK_STR(m->bus, "pci");
	CHECK(!m->bridge);
	CHECK(!m->host_bridge);
	CHECK(!group->noiommu);
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
	ioasid_group_info_free(group);
	group = NULL;
	fake_unplug(added.bdf);
	fake_unplug(GROUP_HD);
	CHECK_OK(read_group(GROUP_NIC));
	CHECK_EQ(group->nmembers, 2);
	CHECK_EQ(group->nreserved, 1);
}

/* PCI domains may have more than four digits. */
static void
other_names_of_pci_devices(void **state)
{
	const char *const names[] = { "10000:e1:00.0", "deadbeef:ff:1f.7" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct fake_pci pci = { .bdf = names[i], .group = 50 + (uint32_t)i, .vendor = 7 };

		fake_plug(&pci);
		CHECK_OK(read_again(names[i]));
		CHECK_STR(group->members[0].bdf, names[i]);
		CHECK_STR(group->members[0].bus, "pci");
		CHECK_EQ(group->members[0].vendor, 7);
	}
}

/* Not all members are on PCI: such have no configuration space, and are never exempt. */
static void
members_of_other_buses(void **state)
{
	static const char *const names[] = { "arm-smmu-v3.0.auto", "dpni.1", "0000:01:00",
					     "0000:01:00.0.1", "00000:01:00.g" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct fake_pci pci = { .bdf = names[i],
					.group = 50 + (uint32_t)i,
					.vendor = 7,
					.class_code = 0x060000,
					.header = 1 };

		fake_plug(&pci);
		fake_sysfs_write(names[i], "config", NULL);
		fake_sysfs_symlink(names[i], "subsystem", "../../../bus/fsl-mc");
		CHECK_OK(read_again(names[i]));
		CHECK_STR(group->members[0].bdf, names[i]);
		CHECK_STR(group->members[0].bus, "fsl-mc");
		CHECK_EQ(group->members[0].vendor, 0);
		CHECK_EQ(group->members[0].class_code, 0);
		CHECK(!group->members[0].bridge && !group->members[0].host_bridge);
		CHECK_EQ(group->members[0].standing, IOASID_AT_RISK);
		fake_sysfs_write(names[i], "subsystem", NULL);
		check_unreadable(names[i], EPROTO, "subsystem");
		fake_sysfs_symlink(names[i], "subsystem", "../bus/a-bus-with-a-long-name");
		check_unreadable(names[i], EPROTO, "subsystem");
	}
}

/* VFIO makes a group for a device without IOMMU, and gives it a name. */
static void
group_without_an_iommu_behind_it(void **state)
{
	const struct {
		const char *name;
		bool noiommu;
	} rows[] = { { "vfio-noiommu\n", true },
		     { "vfio-noiommu", true },
		     { "fsl-mc-group\n", false },
		     { "", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_sysfs_write(NIC0, "iommu_group/name", rows[i].name);
		CHECK_OK(read_again(NIC0));
		CHECK_EQ(group->noiommu, rows[i].noiommu);
	}
	fake_sysfs_mkdir(NIC0, "iommu_group/name");
	check_unreadable(NIC0, EPROTO, "name");
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
		ioasid_group_info_free(group);
		group = NULL;
		fake_unplug(pci.bdf);
	}
}

/* Neither an endpoint nor a bridge: it is not known. */
static void
config_that_cannot_be_read(void **state)
{
	(void)state;
	fake_sysfs_write(BRIDGE, "config", NULL);
	check_unreadable(GROUP_NIC, EPROTO, BRIDGE "/config");
	/* The kernel shows only 64 bytes to some, and may show fewer. */
	fake_sysfs_write(BRIDGE, "config", "12345678901234");
	check_unreadable(GROUP_NIC, EPROTO, BRIDGE "/config: has 14 bytes only");
	fake_sysfs_write(BRIDGE, "config", "");
	check_unreadable(GROUP_NIC, EPROTO, BRIDGE "/config");
	fake_sysfs_mkdir(BRIDGE, "config");
	check_unreadable(GROUP_NIC, EPROTO, BRIDGE "/config");
	fake_sysfs_write(BRIDGE, "config", "12345678901234\x01");
	CHECK_OK(read_again(GROUP_NIC));
	CHECK(member(BRIDGE)->bridge);
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
	CHECK(!group->members[0].host_bridge);
	CHECK_EQ(group->members[0].standing, IOASID_AT_RISK);
}

/* But for a host bridge, which has an endpoint's header: nobody can do DMA with one. */

static const struct {
	uint32_t class_code;
	uint8_t header;
	bool host_bridge, exempt;
} classes[] = {
	{ 0x060000, 0x00, true, true },   { 0x060000, 0x80, true, true },
	{ 0x0600ff, 0x00, true, true },   { 0x060000, 0x01, false, true },
	{ 0x060000, 0x02, false, true },  { 0x060000, 0x03, false, false },
	{ 0x060000, 0x7f, false, false }, { 0x060000, 0xff, false, false },
	{ 0x060100, 0x00, false, false }, { 0x058000, 0x00, false, false },
	{ 0x000600, 0x00, false, false }, { 0x1060000, 0x00, false, false },
};

static void
host_bridges_are_exempt(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		struct fake_pci pci = { .bdf = "0000:20:00.0", .group = 60 };

		pci.header = classes[i].header;
		pci.class_code = classes[i].class_code;
		fake_plug(&pci);
		print_message("class 0x%06x, header type 0x%02x\n", pci.class_code, pci.header);
		CHECK_OK(read_again(pci.bdf));
		CHECK_EQ(group->members[0].host_bridge, classes[i].host_bridge);
		CHECK_EQ(ioasid_is_exempt(&group->members[0]), classes[i].exempt);
		CHECK_EQ(group->members[0].standing == IOASID_EXEMPT, classes[i].exempt);
		CHECK_EQ(ioasid_group_at_risk(group), !classes[i].exempt);
		fake_unplug(pci.bdf);
	}
}

/* The class is the kernel's word, which its quirks may have mended, not the device's. */
static void
class_is_that_of_sysfs(void **state)
{
	struct fake_pci pci = { .bdf = "0000:20:00.0", .group = 60, .class_code = 0x020000 };

	(void)state;
	fake_plug(&pci);
	/* In the configuration space the class is 0600, the header normal. */
	fake_sysfs_write(pci.bdf, "config", "12345678xx\x01\x06yy\x40");
	CHECK_OK(read_again(pci.bdf));
	CHECK_EQ(group->members[0].standing, IOASID_AT_RISK);
	CHECK_EQ(group->members[0].class_code, 0x020000);
}

/* Nobody has joined anything, as far as this knows. */
static void
standing_without_a_context(void **state)
{
	(void)state;
	CHECK_OK(read_group(GROUP_HD));
	CHECK_EQ(member(BRIDGE)->standing, IOASID_EXEMPT);
	CHECK_EQ(member(GROUP_NIC)->standing, IOASID_AT_RISK);
	CHECK_EQ(member(GROUP_HD)->standing, IOASID_AT_RISK);
	CHECK_EQ(ioasid_group_at_risk(group), 2);
	CHECK(ioasid_group_member(group, NIC0) == NULL);
	CHECK(ioasid_group_member(group, "") == NULL);
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
		CHECK_EQ(ioasid_is_vfio(fake_sysfs(), bad_names[i]), 0);
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
	CHECK_ERR(ioasid_group_info_read("/nonexistent", NIC0, &group), ENODEV);
	memset(deep, '/', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	CHECK_ERR(ioasid_group_info_read(deep, NIC0, &group), ENODEV);
	CHECK_EQ(ioasid_is_vfio(deep, NIC0), 0);
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

		snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%s", bad_numbers[i]);
		fake_sysfs_symlink(NIC0, "iommu_group", target);
		print_message("\"%s\"\n", bad_numbers[i]);
		CHECK_ERR(ioasid_group_number(fake_sysfs(), NIC0, &number), EPROTO);
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
	"garbage\n",
	"0x0\n",
	"0x0 0x1\n",
	"0x0 msi 0x1\n",
	"0x2 0x1 msi\n",
	"- - -\n",
	"0x0 0xzz msi\n",
	"-1 5 msi\n",
	"0x0 0x1 msi\n0x2 0x1 msi\n",
	/* Wider than an IOVA. */
	"0x10000000000000000 0x1ffffffffffffffff msi\n",
	/* Not cut to what fits. */
	"0x0 0x1\n msi\n",
	" 0x0 0x1 msi\n",
	"0x0  0x1 msi\n",
	"0x0 0x1 \n",
};

static void
bad_reserved_regions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_regions); i++) {
		fake_sysfs_write(NIC0, "iommu_group/reserved_regions", bad_regions[i]);
		print_message("\"%s\"\n", bad_regions[i]);
		CHECK_ERR(read_group(NIC0), EPROTO);
		CHECK_SAYS("iommu_groups/11/reserved_regions");
	}
}

/* sysfs gives out a page: of more, nobody knows what is in the rest. */
static void
reserved_regions_that_do_not_fit(void **state)
{
	static const char line[] = "0x00001000 0x00001fff reserved\n";
	char text[8192] = "";

	(void)state;
	for (size_t i = 0; i < 4096 / strlen(line); i++)
		strcat(text, line);
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", text);
	CHECK_OK(read_again(NIC0));
	CHECK_EQ(group->nreserved, 4096 / strlen(line));
	strcat(text, line);
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", text);
	check_unreadable(NIC0, EPROTO, "reserved_regions");
}

static void
empty_lines_are_no_regions(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", "\n0x0 0x1 msi\n\n");
	CHECK_OK(read_again(NIC0));
	CHECK_EQ(group->nreserved, 1);
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
	/* What such a one begins with makes it no other. */
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions",
			 "0x1000 0x1fff direct-relaxable-but-not-quite\n");
	CHECK_OK(read_again(NIC0));
	CHECK(strcmp(group->reserved[0].type, "direct-relaxable") != 0);
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
	CHECK_ERR(read_group(NIC0), ENOENT);
	CHECK_SAYS("IOMMU group 99");
}

static void
member_with_an_overlong_name(void **state)
{
	(void)state;
	fake_sysfs_symlink(NIC0, "iommu_group/devices/01234567890123456789012345678901", "x");
	CHECK_ERR(read_group(NIC0), EPROTO);
	CHECK_SAYS("01234567890123456789012345678901");
}

/* Its entry is there and nothing else is: nobody knows what it is. */
static void
member_without_files_is_unreadable(void **state)
{
	(void)state;
	fake_sysfs_symlink(NIC0, "iommu_group/devices/0000:01:00.1", "gone");
	check_unreadable(NIC0, EPROTO, "0000:01:00.1/vendor");
}

static void
unplug_hd(void)
{
	fake_unplug(GROUP_HD);
}

/* One that vanishes while the group is read is no member any more. */
static void
member_that_vanishes_meanwhile(void **state)
{
	const unsigned long kinds[] = { FAKE_LIST, FAKE_READ_FILE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		fake_at(kinds[i], unplug_hd);
		CHECK_OK(read_again(GROUP_NIC));
		CHECK_EQ(group->nmembers, 2);
		CHECK_STR(group->members[0].bdf, BRIDGE);
		CHECK_STR(group->members[1].bdf, GROUP_NIC);
		fake_plug(&pci_group_hd);
	}
	CHECK_OK(read_again(GROUP_NIC));
	CHECK_EQ(group->nmembers, 3);
}

/* Whatever is strange about a member's files, it is told. */

static const struct {
	const char *file, *text;
} strange[] = {
	{ "vendor", NULL },
	{ "vendor", "" },
	{ "vendor", "\n" },
	{ "vendor", "not a number\n" },
	{ "vendor", "0x10000\n" },
	{ "vendor", "-1\n" },
	{ "vendor", " 0x8086\n" },
	{ "vendor", "0x8086 0x8086\n" },
	{ "vendor", "0x8086\n\n" },
	{ "vendor", "0x00000000000000000000000000008086\n" },
	{ "device", NULL },
	{ "device", "" },
	{ "device", "0x10000\n" },
	{ "class", NULL },
	{ "class", "" },
	{ "class", "0x\n" },
	{ "class", "0x0600zz\n" },
	{ "class", "0x100000000\n" },
	{ "config", NULL },
	{ "config", "" },
	{ "vfio-dev", "not a directory" },
	{ "driver", "not a link" },
	{ "iommu_group/devices", "not a directory" },
	{ "iommu_group/devices", NULL },
	{ "iommu_group/reserved_regions", NULL },
};

static void
garbage_in_a_members_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		struct fake_pci pci = pci_nic0;
		char bdf[] = "0000:30:00.0";

		snprintf(bdf, sizeof(bdf), "0000:%02zx:00.0", 0x30 + i);
		pci.bdf = bdf;
		pci.group = 100 + (uint32_t)i;
		fake_plug(&pci);
		CHECK_OK(read_again(bdf));
		fake_sysfs_write(bdf, strange[i].file, strange[i].text);
		print_message("%s: \"%s\"\n", strange[i].file,
			      strange[i].text != NULL ? strange[i].text : "none");
		check_unreadable(bdf, EPROTO,
				 strchr(strange[i].file, '/') != NULL ? strchr(strange[i].file, '/')
								      : strange[i].file);
	}
}

static void
overlong_names_of_driver_and_cdev(void **state)
{
	char longest[IOASID_DRIVER_SIZE + 1];

	(void)state;
	memset(longest, 'd', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	fake_sysfs_symlink(NIC0, "driver", longest);
	check_unreadable(NIC0, EPROTO, NIC0 "/driver");
	fake_sysfs_symlink(NIC0, "driver", longest + 1);
	CHECK_OK(read_again(NIC0));
	CHECK_STR(group->members[0].driver, longest + 1);
	fake_sysfs_mkdir(NIC0, "vfio-dev");
	fake_sysfs_mkdir(NIC0, "vfio-dev/vfio0123456789012345678901234567");
	check_unreadable(NIC0, EPROTO, "vfio0123456789012345678901234567");
	CHECK_RET(ioasid_is_vfio(fake_sysfs(), NIC0), -EPROTO);
	fake_sysfs_mkdir(NIC0, "vfio-dev");
	fake_sysfs_mkdir(NIC0, "vfio-dev/vfio012345678901234567890123456");
	CHECK_OK(read_again(NIC0));
	CHECK_STR(group->members[0].cdev, "vfio012345678901234567890123456");
}

/* Not bound, and on a VFIO driver by what tells in which kernel. */
static void
on_vfio_by_cdev_or_by_name(void **state)
{
	const struct {
		struct ioasid_member m;
		bool on_vfio;
	} rows[] = {
		{ { .driver = "vfio-pci", .cdev = "vfio0" }, true },
		{ { .driver = "vfio-pci" }, true },
		{ { .driver = "vfio-fsl-mc" }, true },
		{ { .driver = "mlx5_vfio_pci", .cdev = "vfio3" }, true },
		{ { .driver = "mlx5_vfio_pci" }, true },
		{ { .driver = "nvgrace-gpu-vfio-pci" }, true },
		{ { .driver = "" }, false },
		{ { .driver = "igb" }, false },
		{ { .driver = "pci-stub" }, false },
		{ { .driver = "uio_vfio" }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_EQ(ioasid_is_on_vfio(&rows[i].m), rows[i].on_vfio);
}

/* Every read fails in turn: what could not be read is never taken for something. */

static int
read_the_group(void)
{
	int ret = read_again(GROUP_HD);

	CHECK_EQ(ret == 0, group != NULL);
	return ret;
}

static int
read_the_number(void)
{
	unsigned int number;

	return ioasid_group_number(fake_sysfs(), GROUP_HD, &number);
}

static int
read_is_vfio(void)
{
	return ioasid_is_vfio(fake_sysfs(), GROUP_HD) == 1 ? 0
							   : ioasid_is_vfio(fake_sysfs(), GROUP_HD);
}

static int
read_users(void)
{
	char buf[16];

	return ioasid_group_users(fake_sysfs(), GROUP_HD, buf, sizeof(buf));
}

/* Gives how many reads the call needs. */
static unsigned int
fail_every_read(int (*call)(void), int err, int want)
{
	for (unsigned int n = 1;; n++) {
		int ret;

		fake_fail(FAKE_ANY, n, err);
		ret = call();
		if (fake_fail_clear() == 0) {
			CHECK_OK(ret);
			return n - 1;
		}
		print_message("read %u: %s\n", n, strerror(err));
		CHECK_ERR(ret, want);
		CHECK_OK(call());
	}
}

static const int read_errors[] = { EIO, EACCES, EPERM, ENODEV, EINVAL, EMFILE, ENFILE };

static void
every_read_of_a_group_fails(void **state)
{
	int (*const calls[])(void) = { read_the_group, read_the_number, read_users };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(read_errors); j++)
			CHECK(fail_every_read(calls[i], read_errors[j], EPROTO) >= 2);
		CHECK(fail_every_read(calls[i], ENOMEM, ENOMEM) >= 2);
	}
	/*
	 * The device, its group; the list of members; of each vendor, device, class, config,
	 * vfio-dev, driver; regions and name.
	 */
	CHECK_EQ(fail_every_read(read_the_group, EIO, EPROTO), 2 + 1 + 3 * 6 + 2);
}

static void
is_vfio_that_cannot_be_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(read_errors); i++) {
		fake_fail(FAKE_LIST, 1, read_errors[i]);
		CHECK_ERR(ioasid_is_vfio(fake_sysfs(), NIC0), EPROTO);
		CHECK_SAYS(NIC0 "/vfio-dev");
	}
	fake_fail(FAKE_LIST, 1, ENOMEM);
	CHECK_ERR(ioasid_is_vfio(fake_sysfs(), NIC0), ENOMEM);
	CHECK_OK(read_is_vfio());
}

/* What sort of kernel it is */

#define UNSAFE_NOIOMMU "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

static void
kernel_without_iommu(void **state)
{
	(void)state;
	CHECK_EQ(ioasid_kernel_is_noiommu(), 0);
	fake_write(UNSAFE_NOIOMMU, "N\n");
	CHECK_EQ(ioasid_kernel_is_noiommu(), 0);
	fake_write(UNSAFE_NOIOMMU, "Y\n");
	CHECK_EQ(ioasid_kernel_is_noiommu(), 1);
	/* The mode is allowed, and there is an IOMMU: then it is used. */
	fake_sysfs_mkdir(NIC0, "../../../class");
	fake_sysfs_mkdir(NIC0, "../../../class/iommu");
	CHECK_EQ(ioasid_kernel_is_noiommu(), 1);
	fake_write("/sys/class/iommu/dmar0", "");
	CHECK_EQ(ioasid_kernel_is_noiommu(), 0);
	fake_fail(FAKE_READ_FILE, 1, EACCES);
	CHECK_ERR(ioasid_kernel_is_noiommu(), EPROTO);
	CHECK_SAYS(UNSAFE_NOIOMMU);
	fake_fail(FAKE_LIST, 1, EACCES);
	CHECK_ERR(ioasid_kernel_is_noiommu(), EPROTO);
	CHECK_SAYS("/sys/class/iommu");
}

static void
kernel_without_cdevs(void **state)
{
	(void)state;
	CHECK_EQ(ioasid_kernel_lacks_cdevs(), 0);
	fake_write("/proc/devices", "Character devices:\n  1 mem\n242 vfio\n");
	CHECK_EQ(ioasid_kernel_lacks_cdevs(), 1);
	fake_write("/proc/devices", NULL);
	CHECK_ERR(ioasid_kernel_lacks_cdevs(), EPROTO);
	CHECK_SAYS("/proc/devices");
	fake_fail(FAKE_LIST, 1, EACCES);
	CHECK_ERR(ioasid_kernel_lacks_cdevs(), EPROTO);
	CHECK_SAYS("/sys/module/vfio");
	/* Not loaded: nobody knows yet. */
	fake_write("/sys/module/vfio", NULL);
	CHECK_EQ(ioasid_kernel_lacks_cdevs(), 0);
}

/* is_vfio, group_free */

static void
is_vfio(void **state)
{
	(void)state;
	CHECK_EQ(ioasid_is_vfio(fake_sysfs(), NIC0), 1);
	CHECK_EQ(ioasid_is_vfio(fake_sysfs(), BRIDGE), 0);
	CHECK_EQ(ioasid_is_vfio(fake_sysfs(), "0000:77:00.0"), 0);
	fake_set_driver(NIC0, "igb");
	CHECK_EQ(ioasid_is_vfio(fake_sysfs(), NIC0), 0);
	fake_set_driver(NIC0, NULL);
	CHECK_EQ(ioasid_is_vfio(fake_sysfs(), NIC0), 0);
	fake_set_driver(NIC0, "vfio-pci");
	fake_sysfs_mkdir(NIC0, "vfio-dev");
	CHECK_EQ(ioasid_is_vfio(fake_sysfs(), NIC0), 0);
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
	ioasid_group_info_free(NULL);
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
		TEST_GROUP(other_names_of_pci_devices),
		TEST_GROUP(members_of_other_buses),
		TEST_GROUP(group_without_an_iommu_behind_it),
		TEST_GROUP(header_types),
		TEST_GROUP(config_that_cannot_be_read),
		TEST_GROUP(class_code_makes_no_bridge),
		TEST_GROUP(host_bridges_are_exempt),
		TEST_GROUP(class_is_that_of_sysfs),
		TEST_GROUP(standing_without_a_context),
		TEST_GROUP(bad_names_are_no_devices),
		TEST_GROUP(unknown_device),
		TEST_GROUP(sysfs_that_is_not_there),
		TEST_GROUP(device_without_iommu),
		TEST_GROUP(bad_group_numbers),
		TEST_GROUP(good_group_numbers),
		TEST_GROUP(bad_reserved_regions),
		TEST_GROUP(reserved_regions_that_do_not_fit),
		TEST_GROUP(empty_lines_are_no_regions),
		TEST_GROUP(missing_reserved_regions),
		TEST_GROUP(unknown_type_of_region),
		TEST_GROUP(missing_members),
		TEST_GROUP(dangling_group),
		TEST_GROUP(member_with_an_overlong_name),
		TEST_GROUP(member_without_files_is_unreadable),
		TEST_GROUP(member_that_vanishes_meanwhile),
		TEST_GROUP(garbage_in_a_members_files),
		TEST_GROUP(overlong_names_of_driver_and_cdev),
		TEST_GROUP(on_vfio_by_cdev_or_by_name),
		TEST_GROUP(every_read_of_a_group_fails),
		TEST_GROUP(is_vfio_that_cannot_be_read),
		TEST_GROUP(kernel_without_iommu),
		TEST_GROUP(kernel_without_cdevs),
		TEST_GROUP(is_vfio),
		TEST_GROUP(number_needs_no_members),
		TEST_GROUP(free_of_null_does_nothing),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
