/* SPDX-License-Identifier: BSD-3-Clause */

/* The IOVA ranges of an IOASID: what is left, what is allowed, what a device reaches. */

#include <stdlib.h>

#include "test.h"

/* What is left */

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

/* What is allowed */

static const struct ioasid_range window = { 0x100000, 0x1fffff };

static void
allowed_range_is_all_that_can_be_mapped(void **state)
{
	const uint64_t outside[] = { 0, 0xff000, 0x200000 };

	(void)state;
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, &window, 1));
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		CHECK_ERR(ioasid_map(ctx, ioas, VA, outside[i], PAGE, RW), EADDRNOTAVAIL);
		CHECK_SAYS("0x100000-0x1fffff");
		CHECK_SAYS("use other addresses, or give it another range");
	}
	/* half in */
	CHECK_ERR(ioasid_map(ctx, ioas, VA, 0xff000, 2 * PAGE, RW), EADDRNOTAVAIL);
	CHECK_ERR(ioasid_map(ctx, ioas, VA, 0x1ff000, 2 * PAGE, RW), EADDRNOTAVAIL);
	CHECK_EQ(fake_count(KABI_MAP), 0);
	map(0x100000, PAGE);
	map(0x1ff000, PAGE);
	/* all again */
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, NULL, 0));
	map(0x200000, PAGE);
}

static void
allowed_ranges_may_be_many_in_any_order(void **state)
{
	const struct ioasid_range ranges[] = { { 0x400000, 0x4fffff }, { 0x100000, 0x1fffff } };

	(void)state;
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, ranges, 2));
	/* From one to the other is in none. */
	CHECK_ERR(ioasid_map(ctx, ioas, VA, 0x1ff000, 0x300000, RW), EADDRNOTAVAIL);
	map(0x100000, PAGE);
	map(0x400000, PAGE);
	CHECK_ERR(ioasid_map(ctx, ioas, VA, 0x300000, PAGE, RW), EADDRNOTAVAIL);
	CHECK_SAYS("0x100000-0x1fffff or another");
}

static void
allowed_ranges_are_replaced(void **state)
{
	const struct ioasid_range other = { 0x200000, 0x2fffff };

	(void)state;
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, &window, 1));
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, &other, 1));
	CHECK_ERR(ioasid_map(ctx, ioas, VA, 0x100000, PAGE, RW), EADDRNOTAVAIL);
	map(0x200000, PAGE);
	/* A refused one changes nothing. */
	CHECK_ERR(ioasid_allow_iovas(ctx, ioas, &window, 1), EADDRINUSE);
	CHECK_SAYS("0x200000-0x200fff");
	map(0x201000, PAGE);
}

static void
allowed_ranges_that_are_none(void **state)
{
	const struct {
		struct ioasid_range ranges[2];
		unsigned int n;
		const char *says;
	} rows[] = {
		{ { { 0x2000, 0x1fff } }, 1, "0x2000-0x1fff is empty" },
		{ { { 0x2000, 0x2000 } }, 1, "is empty" },
		{ { { 0x2000, 0x4fff }, { 0x4000, 0x5fff } },
		  2,
		  "0x2000-0x4fff and 0x4000-0x5fff" },
		{ { { 0x4000, 0x5fff }, { 0x2000, 0x4000 } }, 2, "overlap" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_ERR(ioasid_allow_iovas(ctx, ioas, rows[i].ranges, rows[i].n), EINVAL);
		CHECK_SAYS(rows[i].says);
	}
	CHECK_EQ(fake_count(KABI_ALLOW_IOVAS), 0);
	CHECK_ERR(ioasid_allow_iovas(ctx, 99, &window, 1), ENOENT);
	CHECK_SAYS("IOASID 99");
}

/* The promise: no device comes that would take a part of them away. */
static void
allowed_range_keeps_devices_away(void **state)
{
	const struct ioasid_range with_msi = { MSI_START - PAGE, MSI_LAST };
	const struct ioasid_range beyond = { APERTURE_LAST - PAGE, APERTURE_LAST + PAGE };
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, &with_msi, 1));
	CHECK_ERR(ioasid_attach(dev, ioas), EADDRINUSE);
	CHECK_SAYS("an IOVA range is promised");
	CHECK_SAYS("the allowed range 0xfedff000-0xfeefffff; within reach: 0x0-0xfedfffff "
		   "0xfef00000-0xffffffffffff");
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, &beyond, 1));
	CHECK_ERR(ioasid_attach(dev, ioas), EADDRINUSE);
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, &window, 1));
	attach(dev, ioas);
	/* And the other way round. */
	CHECK_ERR(ioasid_allow_iovas(ctx, ioas, &with_msi, 1), EADDRINUSE);
	CHECK_SAYS("choose another range");
}

static void
allowed_ranges_go_with_the_ioasid(void **state)
{
	(void)state;
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, &window, 1));
	CHECK_OK(ioasid_free(ctx, ioas));
	CHECK_EQ(alloc(), ioas);
	map(0, PAGE);
}

/* What a device that is attached nowhere could reach */

static void
check_reach(struct ioasid_device *dev, const struct ioasid_range *want, unsigned int n)
{
	const unsigned int left = fake_left();
	struct ioasid_range *ranges = NULL, got[8] = { 0 };
	unsigned int count = 0;

	CHECK_OK(ioasid_device_reach(dev, ioas, &ranges, &count));
	for (unsigned int i = 0; i < count && i < ARRAY_SIZE(got); i++)
		got[i] = ranges[i];
	free(ranges);
	CHECK_EQ(count, n);
	for (unsigned int i = 0; i < n; i++) {
		CHECK_EQ(got[i].start, want[i].start);
		CHECK_EQ(got[i].last, want[i].last);
	}
	CHECK_EQ(fake_left(), left);
}

static const struct ioasid_range nic_reach[] = {
	{ 0, MSI_START - 1 },
	{ MSI_LAST + 1, APERTURE_LAST },
};

static void
reach_before_it_is_attached(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	/* Maps do not matter, and are not pinned for it. */
	map(0, PAGE);
	fake_machine.memlock = 0;
	check_reach(dev, nic_reach, 2);
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK_EQ(fake_pinned(), 0);
	CHECK_EQ(fake_count(KABI_DESTROY), 1);
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	/* The same beside other devices. */
	fake_machine.memlock = PAGE;
	attach(dev, ioas);
	check_reach(join(NIC1), nic_reach, 2);
}

/* A driver that finishes its page table at attach knows nothing before: so it is attached. */
static void
reach_where_the_table_is_finished_late(void **state)
{
	const struct ioasid_range nothing[] = { { 0, 0 } };
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	fake_machine.late_table = true;
	check_ranges(ioas, nothing, 1);
	check_reach(dev, nic_reach, 2);
	attach(dev, ioas);
	check_ranges(ioas, nic_reach, 2);
}

/* It would have to leave where it is, and its group with it. */
static void
reach_while_its_group_is_attached(void **state)
{
	struct ioasid_device *nic = join(GROUP_NIC), *hd = join(GROUP_HD);
	struct ioasid_range *ranges;
	unsigned int count;

	(void)state;
	attach(nic, ioas);
	CHECK_ERR(ioasid_device_reach(hd, ioas, &ranges, &count), EBUSY);
	CHECK_SAYS(GROUP_HD);
	CHECK_SAYS("IOMMU group 13 is attached");
	CHECK_ERR(ioasid_device_reach(nic, ioas, &ranges, &count), EBUSY);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	CHECK_OK(ioasid_detach(hd));
	CHECK_OK(ioasid_device_reach(nic, ioas, &ranges, &count));
	free(ranges);
}

static void
reach_lacks_what_the_group_reserves(void **state)
{
	const struct ioasid_range want[] = {
		{ 0, HD_START - 1 },
		/* RELAXABLE may be used */
		{ HD_LAST + 1, MSI_START - 1 },
		{ MSI_LAST + 1, APERTURE_LAST },
	};

	(void)state;
	check_reach(join(GROUP_NIC), want, 3);
}

static void
reach_is_within_the_allowed(void **state)
{
	const struct ioasid_range allowed[] = {
		{ 0x1000, 0x1fff },
		{ MSI_START - PAGE, MSI_LAST + PAGE },
		{ APERTURE_LAST - PAGE + 1, UINT64_MAX },
	};
	const struct ioasid_range want[] = {
		{ 0x1000, 0x1fff },
		{ MSI_START - PAGE, MSI_START - 1 },
		{ MSI_LAST + 1, MSI_LAST + PAGE },
		{ APERTURE_LAST - PAGE + 1, APERTURE_LAST },
	};
	const struct ioasid_range msi = { MSI_START, MSI_LAST };
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, allowed, 3));
	check_reach(dev, want, 4);
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, &msi, 1));
	check_reach(dev, NULL, 0);
}

static void
reach_leaves_nothing_behind(void **state)
{
	const unsigned long requests[] = { KABI_IOAS_ALLOC, KABI_ATTACH, KABI_IOVA_RANGES };
	struct ioasid_device *dev = join(NIC0);
	struct ioasid_range *ranges;
	unsigned int count, left;
	uint32_t next;

	(void)state;
	left = fake_left();
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		fake_fail(requests[i], 1, EIO);
		CHECK_ERR(ioasid_device_reach(dev, ioas, &ranges, &count), EIO);
		CHECK_SAYS(NIC0);
		CHECK_EQ(fake_left(), left);
		CHECK_EQ(fake_attached(NIC0), 0);
	}
	CHECK_ERR(ioasid_device_reach(dev, 99, &ranges, &count), ENOENT);
	CHECK_SAYS("IOASID 99");
	CHECK_EQ(fake_left(), left);
	next = alloc();
	CHECK_OK(ioasid_free(ctx, next));
	CHECK_OK(ioasid_device_reach(dev, ioas, &ranges, &count));
	free(ranges);
	CHECK_EQ(alloc(), next);
	/* No list has seen the empty one. */
	CHECK_EQ(ioasid_list(ctx, 0, NULL, 0, &count), 0);
	CHECK_EQ(count, 2);
}

/* The kernel does not say which map it is that stands in the way. */
static void
attach_names_the_map_out_of_reach(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	map(0, PAGE);
	map(APERTURE_LAST + 1, PAGE);
	CHECK_ERR(ioasid_attach(dev, ioas), EADDRINUSE);
	CHECK_SAYS("the map at IOVA 0x1000000000000-0x1000000000fff; within reach: 0x0-0xfedfffff");
	CHECK_SAYS("move it");
	CHECK_OK(ioasid_unmap(ctx, ioas, APERTURE_LAST + 1, PAGE));
	attach(dev, ioas);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ranges_shrink_by_attach_and_grow_by_detach),
		TEST(ranges_of_unknown_ioasid),
		TEST(ranges_more_than_first_asked_for),
		TEST(ranges_grow_while_asked),
		TEST(allowed_range_is_all_that_can_be_mapped),
		TEST(allowed_ranges_may_be_many_in_any_order),
		TEST(allowed_ranges_are_replaced),
		TEST(allowed_ranges_that_are_none),
		TEST(allowed_range_keeps_devices_away),
		TEST(allowed_ranges_go_with_the_ioasid),
		TEST(reach_before_it_is_attached),
		TEST(reach_where_the_table_is_finished_late),
		TEST(reach_while_its_group_is_attached),
		TEST(reach_lacks_what_the_group_reserves),
		TEST(reach_is_within_the_allowed),
		TEST(reach_leaves_nothing_behind),
		TEST(attach_names_the_map_out_of_reach),
	};

	return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
