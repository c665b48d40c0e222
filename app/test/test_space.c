/* SPDX-License-Identifier: BSD-3-Clause */

/* The open /dev/ioasid and its IOASIDs. */

#include <stdlib.h>

#include "test.h"

/* Opening */

static void
open_prefers_dev_ioasid(void **state)
{
	(void)state;
	fake_machine.has_alias = true;
	CHECK_OK(ioasid_open(NULL, &ctx));
	CHECK_STR(ioasid_path(ctx), "/dev/ioasid");
	CHECK_EQ(fake_count(FAKE_OPEN), 1);
}

static void
open_falls_back_to_dev_iommu(void **state)
{
	(void)state;
	CHECK_OK(ioasid_open(NULL, &ctx));
	CHECK_STR(ioasid_path(ctx), "/dev/iommu");
	CHECK_EQ(fake_count(FAKE_OPEN), 2);
}

static void
open_given_path_has_no_fallback(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_open("/dev/ioasid", &ctx), ENOENT);
	CHECK_SAYS("/dev/ioasid");
	CHECK_EQ(fake_count(FAKE_OPEN), 1);
	CHECK_OK(ioasid_open("/dev/iommu", &ctx));
	CHECK_STR(ioasid_path(ctx), "/dev/iommu");
}

/* An alias that may not be opened is a mistake to be told, not to be worked around. */
static void
open_falls_back_only_if_the_alias_is_missing(void **state)
{
	(void)state;
	fake_machine.has_alias = true;
	fake_fail(FAKE_OPEN, 1, EACCES);
	CHECK_ERR(ioasid_open(NULL, &ctx), EACCES);
	CHECK_SAYS("/dev/ioasid");
	CHECK_EQ(fake_count(FAKE_OPEN), 1);
}

static void
open_without_any_node_names_dev_iommu(void **state)
{
	(void)state;
	fake_machine.has_iommufd = false;
	CHECK_ERR(ioasid_open(NULL, &ctx), ENOENT);
	CHECK_SAYS("/dev/iommu");
	CHECK_SAYS("no iommufd");
}

static void
open_of_another_device_is_refused(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_open("/dev/null", &ctx), ENOTTY);
	CHECK_SAYS("/dev/null");
	CHECK_SAYS("is not an iommufd");
	CHECK_EQ(fake_open_files(), 0);
}

static void
open_allocates_nothing(void **state)
{
	(void)state;
	CHECK_OK(ioasid_open(NULL, &ctx));
	/* The first id is still free: the probe by IOAS_ALLOC made no IOAS. */
	CHECK_EQ(alloc(), 1);
	CHECK_EQ(fake_open_files(), 1);
}

static void
open_path_is_copied(void **state)
{
	char path[] = "/dev/iommu";

	(void)state;
	CHECK_OK(ioasid_open(path, &ctx));
	memset(path, 'x', sizeof(path) - 1);
	CHECK_STR(ioasid_path(ctx), "/dev/iommu");
}

static void
close_of_null_does_nothing(void **state)
{
	(void)state;
	ioasid_close(NULL);
	CHECK_EQ(fake_count(FAKE_ANY), 0);
}

/* Two contexts in one process have nothing in common. */
static void
contexts_are_separate(void **state)
{
	struct ioasid_ctx *second;

	(void)state;
	CHECK_OK(ioasid_open(NULL, &second));
	CHECK(ioasid_fd(second) != ioasid_fd(ctx));
	map(0, PAGE);
	CHECK_EQ(ioasid_mapped_bytes(ctx), PAGE);
	CHECK_EQ(ioasid_mapped_bytes(second), 0);
	CHECK_ERR(ioasid_free(second, ioas), ENOENT);
	ioasid_close(second);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 1);
}

/* IOASIDs */

static void
alloc_gives_different_numbers_never_0(void **state)
{
	uint32_t second;

	(void)state;
	second = alloc();
	CHECK(ioas != 0);
	CHECK(second != 0);
	CHECK(second != ioas);
}

static void
alloc_out_of_memory_in_the_kernel(void **state)
{
	uint32_t id = 77;

	(void)state;
	fake_fail(KABI_IOAS_ALLOC, 1, ENOMEM);
	CHECK_ERR(ioasid_alloc(ctx, &id), ENOMEM);
	CHECK_SAYS("/dev/iommu");
	CHECK_EQ(id, 77);
}

static void
alloc_tells_other_kernel_errors(void **state)
{
	uint32_t id;

	(void)state;
	fake_fail(KABI_IOAS_ALLOC, 1, EIO);
	CHECK_ERR(ioasid_alloc(ctx, &id), EIO);
	CHECK_SAYS(strerror(EIO));
}

static void
free_of_unknown_ioasid(void **state)
{
	const uint32_t unknown[] = { 0, ioas + 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		char subject[32];

		CHECK_ERR(ioasid_free(ctx, unknown[i]), ENOENT);
		snprintf(subject, sizeof(subject), "IOASID %" PRIu32, unknown[i]);
		CHECK_SAYS(subject);
	}
}

static void
free_twice(void **state)
{
	(void)state;
	CHECK_OK(ioasid_free(ctx, ioas));
	CHECK_ERR(ioasid_free(ctx, ioas), ENOENT);
}

static void
free_takes_the_maps_along(void **state)
{
	(void)state;
	map(0, PAGE);
	map(4 * PAGE, PAGE);
	CHECK_OK(ioasid_free(ctx, ioas));
	CHECK_EQ(ioasid_mapped_bytes(ctx), 0);
	CHECK_ERR(ioasid_map(ctx, ioas, VA, 0, PAGE, RW), ENOENT);
	CHECK_ERR(ioasid_unmap(ctx, ioas, 0, PAGE), ENOENT);
}

/* The kernel gives a freed number out again: the maps of the old one must not show. */
static void
reused_number_is_an_empty_ioasid(void **state)
{
	struct ioasid_map found;

	(void)state;
	map(0, PAGE);
	CHECK_OK(ioasid_free(ctx, ioas));
	CHECK_EQ(alloc(), ioas);
	CHECK_RET(ioasid_find_map(ctx, ioas, 0, PAGE, &found), -ENOENT);
	map(0, PAGE);
}

static void
free_with_a_device_attached_is_busy(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	map(0, PAGE);
	attach(dev, ioas);
	CHECK_ERR(ioasid_free(ctx, ioas), EBUSY);
	CHECK_SAYS("devices attached");
	/* Nothing is lost. */
	CHECK_EQ(ioasid_mapped_bytes(ctx), PAGE);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 1);
	CHECK_EQ(ioasid_device_ioasid(dev), ioas);
	CHECK_OK(ioasid_detach(dev));
	CHECK_OK(ioasid_free(ctx, ioas));
}

/* The ids of devices and page tables are in the same number space of the kernel. */
static void
free_of_a_device_id_is_no_such_ioasid(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	CHECK_ERR(ioasid_free(ctx, ioasid_device_id(dev)), ENOENT);
	CHECK(fake_is_bound(NIC0));
}

static void
close_ends_everything(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	join(NIC1);
	attach(dev, ioas);
	map(0, PAGE);
	alloc();
	ioasid_close(ctx);
	ctx = NULL;
	CHECK_EQ(fake_open_files(), 0);
	CHECK(!fake_is_bound(NIC0));
	CHECK(!fake_is_bound(NIC1));
	CHECK_EQ(fake_pinned(), 0);
}

/* IOVA ranges */

static void
check_ranges(uint32_t id, const struct ioasid_range *want, unsigned int n)
{
	struct ioasid_range *ranges = NULL, got[8] = { 0 };
	unsigned int count = 0;

	CHECK_OK(ioasid_iova_ranges(ctx, id, &ranges, &count));
	/* Given back before the checks, which may end the test. */
	for (unsigned int i = 0; i < count && i < ARRAY_SIZE(got); i++)
		got[i] = ranges[i];
	free(ranges);
	CHECK_EQ(count, n);
	for (unsigned int i = 0; i < n; i++) {
		CHECK_EQ(got[i].start, want[i].start);
		CHECK_EQ(got[i].last, want[i].last);
	}
}

#define APERTURE_LAST ((UINT64_C(1) << 48) - 1)

static void
ranges_shrink_by_attach_and_grow_by_detach(void **state)
{
	const struct ioasid_range all[] = { { 0, UINT64_MAX } };
	const struct ioasid_range narrowed[] = {
		{ 0, MSI_START - 1 },
		{ MSI_LAST + 1, APERTURE_LAST },
	};
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	check_ranges(ioas, all, 1);
	attach(dev, ioas);
	check_ranges(ioas, narrowed, 2);
	CHECK_OK(ioasid_detach(dev));
	check_ranges(ioas, all, 1);
}

static void
ranges_of_unknown_ioasid(void **state)
{
	struct ioasid_range *ranges;
	unsigned int count;

	(void)state;
	CHECK_ERR(ioasid_iova_ranges(ctx, 99, &ranges, &count), ENOENT);
	CHECK_SAYS("IOASID 99");
}

/* Give an IOASID as many holes as it takes: three regions a device. */
static void
attach_devices_with_regions(unsigned int n)
{
	char bdf[] = "0000:10:00.0";

	for (unsigned int i = 0; i < n; i++) {
		uint64_t base = (4 * i + 1) * 0x10000000;
		struct fake_pci pci = { .bdf = bdf, .group = 100 + i, .driver = "vfio-pci" };

		for (unsigned int j = 0; j < 3; j++)
			pci.reserved[j] = (struct fake_reserved){
				.start = base + j * 0x10000000,
				.last = base + j * 0x10000000 + 0xffff,
				.type = "reserved",
			};
		bdf[6] = (char)('0' + i);
		fake_plug(&pci);
		attach(join(bdf), ioas);
	}
}

/* EMSGSIZE: the kernel says how many there are, and is asked again. */
static void
ranges_more_than_first_asked_for(void **state)
{
	struct ioasid_range *ranges;
	unsigned int count = 0, asked;
	bool ascending = true;

	(void)state;
	attach_devices_with_regions(4);
	asked = fake_count(KABI_IOVA_RANGES);
	CHECK_OK(ioasid_iova_ranges(ctx, ioas, &ranges, &count));
	for (unsigned int i = 1; i < count; i++)
		ascending = ascending && ranges[i - 1].last < ranges[i].start;
	free(ranges);
	CHECK_EQ(count, 13);
	CHECK(ascending);
	CHECK_EQ(fake_count(KABI_IOVA_RANGES) - asked, 2);
}

/* A device may be attached between the two questions. */
static void
ranges_grow_while_asked(void **state)
{
	const struct ioasid_range all[] = { { 0, UINT64_MAX } };

	(void)state;
	fake_fail(KABI_IOVA_RANGES, 1, EMSGSIZE);
	fake_fail(KABI_IOVA_RANGES, 2, EMSGSIZE);
	check_ranges(ioas, all, 1);
	CHECK_EQ(fake_count(KABI_IOVA_RANGES), 3);
}

static void
mapped_bytes_is_the_sum_over_all_ioasids(void **state)
{
	uint32_t second;

	(void)state;
	CHECK_EQ(ioasid_mapped_bytes(ctx), 0);
	second = alloc();
	map(0, 2 * PAGE);
	CHECK_OK(ioasid_map(ctx, second, VA, 0, 3 * PAGE, RW));
	CHECK_EQ(ioasid_mapped_bytes(ctx), 5 * PAGE);
	CHECK_OK(ioasid_unmap(ctx, ioas, 0, 2 * PAGE));
	CHECK_EQ(ioasid_mapped_bytes(ctx), 3 * PAGE);
	CHECK_OK(ioasid_free(ctx, second));
	CHECK_EQ(ioasid_mapped_bytes(ctx), 0);
}

/* The fake kernel has no such call; a kernel that has one does not know the flags. */
static void
map_file_is_asked_for(void **state)
{
	(void)state;
	CHECK(!ioasid_has_map_file(ctx));
	fake_fail(KABI_MAP_FILE, 1, EOPNOTSUPP);
	CHECK(ioasid_has_map_file(ctx));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_MACHINE(open_prefers_dev_ioasid),
		TEST_MACHINE(open_falls_back_to_dev_iommu),
		TEST_MACHINE(open_given_path_has_no_fallback),
		TEST_MACHINE(open_falls_back_only_if_the_alias_is_missing),
		TEST_MACHINE(open_without_any_node_names_dev_iommu),
		TEST_MACHINE(open_of_another_device_is_refused),
		TEST_MACHINE(open_allocates_nothing),
		TEST_MACHINE(open_path_is_copied),
		TEST_MACHINE(close_of_null_does_nothing),
		TEST(contexts_are_separate),
		TEST(alloc_gives_different_numbers_never_0),
		TEST(alloc_out_of_memory_in_the_kernel),
		TEST(alloc_tells_other_kernel_errors),
		TEST(free_of_unknown_ioasid),
		TEST(free_twice),
		TEST(free_takes_the_maps_along),
		TEST(reused_number_is_an_empty_ioasid),
		TEST(free_with_a_device_attached_is_busy),
		TEST(free_of_a_device_id_is_no_such_ioasid),
		TEST(close_ends_everything),
		TEST(ranges_shrink_by_attach_and_grow_by_detach),
		TEST(ranges_of_unknown_ioasid),
		TEST(ranges_more_than_first_asked_for),
		TEST(ranges_grow_while_asked),
		TEST(mapped_bytes_is_the_sum_over_all_ioasids),
		TEST(map_file_is_asked_for),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
