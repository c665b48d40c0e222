/* SPDX-License-Identifier: BSD-3-Clause */

/* Maps of process memory in an IOASID. */

#include <pthread.h>
#include <stdlib.h>

#include "test.h"

static int
try_map(uint64_t iova, uint64_t length)
{
	return ioasid_map(ctx, ioas, VA, iova, length, RW);
}

static int
unmap(uint64_t iova, uint64_t length)
{
	return ioasid_unmap(ctx, ioas, iova, length);
}

static int
find(uint64_t iova, uint64_t length, struct ioasid_map *found)
{
	return ioasid_find_map(ctx, ioas, iova, length, found);
}

static unsigned int
areas(void)
{
	return fake_areas(ioasid_fd(ctx), ioas);
}

/* Mapping */

static void
map_reaches_the_kernel_as_given(void **state)
{
	const struct {
		unsigned int prot, flags;
	} rows[] = {
		{ IOASID_READ, KABI_MAP_READABLE },
		{ IOASID_WRITE, KABI_MAP_WRITEABLE },
		{ RW, KABI_MAP_READABLE | KABI_MAP_WRITEABLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t iova = i * 4 * PAGE;

		CHECK_OK(ioasid_map(ctx, ioas, VA + 7 * PAGE, iova, 2 * PAGE, rows[i].prot));
		CHECK(fake_has_area(ioasid_fd(ctx), ioas, iova, VA + 7 * PAGE, 2 * PAGE));
		CHECK_EQ(fake_area_flags(ioasid_fd(ctx), ioas, iova),
			 rows[i].flags | KABI_MAP_FIXED_IOVA);
	}
	CHECK_EQ(total_mapped(ctx), 6 * PAGE);
}

static void
map_without_access_or_with_unknown_access(void **state)
{
	const unsigned int prots[] = { 0, 1u << 2, RW | 1u << 2, 1u << 31 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
		CHECK_ERR(ioasid_map(ctx, ioas, VA, 0, PAGE, prots[i]), EINVAL);
		CHECK_SAYS("access");
	}
	CHECK_EQ(areas(), 0);
}

static void
map_in_unknown_ioasid(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_map(ctx, 99, VA, 0, PAGE, RW), ENOENT);
	CHECK_SAYS("IOASID 99");
	CHECK_ERR(ioasid_unmap(ctx, 99, 0, PAGE), ENOENT);
	CHECK_SAYS("IOASID 99");
	CHECK_EQ(fake_count(KABI_MAP) + fake_count(KABI_UNMAP), 0);
}

static void
map_of_nothing_or_beyond_the_end(void **state)
{
	const struct {
		uint64_t iova, length;
	} rows[] = {
		{ 0, 0 },
		{ PAGE, 0 },
		{ UINT64_MAX, 0 },
		{ UINT64_MAX - PAGE + 1, PAGE + 1 },
		{ PAGE, UINT64_MAX },
		{ PAGE, 0 - PAGE + 1 },
		{ UINT64_MAX - PAGE + 1, 2 * PAGE },
		{ 2 * PAGE, 0 - PAGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_ERR(try_map(rows[i].iova, rows[i].length), EINVAL);
		CHECK_ERR(unmap(rows[i].iova, rows[i].length), EINVAL);
	}
	CHECK_EQ(areas(), 0);
	CHECK_EQ(fake_count(KABI_UNMAP), 0);
}

/*
 * The kernel minds only once a device is attached, and then it is ATTACH that fails,
 * with EADDRINUSE. Whose fault it was must be told at once.
 */
static void
map_misaligned(void **state)
{
	const struct {
		uint64_t va, iova, length;
	} rows[] = {
		{ VA + 1, 0, PAGE },
		{ VA, 1, PAGE },
		{ VA, 0, PAGE + 1 },
		{ VA, 0, 1 },
		{ VA + PAGE / 2, PAGE / 2, PAGE / 2 },
	};
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_ERR(ioasid_map(ctx, ioas, rows[i].va, rows[i].iova, rows[i].length, RW),
			  EINVAL);
		CHECK_SAYS("multiple of the page size");
		attach(dev, ioas);
		CHECK_ERR(ioasid_map(ctx, ioas, rows[i].va, rows[i].iova, rows[i].length, RW),
			  EINVAL);
		CHECK_SAYS("multiple of the page size");
		CHECK_OK(ioasid_detach(dev));
	}
	CHECK_EQ(areas(), 0);
}

static void
map_up_to_the_last_byte(void **state)
{
	const uint64_t last_page = UINT64_MAX - PAGE + 1;
	struct ioasid_map found;

	(void)state;
	CHECK_OK(ioasid_map(ctx, ioas, VA, last_page - PAGE, PAGE, RW));
	CHECK_OK(ioasid_map(ctx, ioas, VA, last_page, PAGE, RW));
	CHECK_ERR(try_map(last_page, PAGE), EEXIST);
	CHECK_OK(find(UINT64_MAX, 1, &found));
	CHECK_EQ(found.iova, last_page);
	/* In one go, whose end is the last address there is. */
	CHECK_OK(unmap(last_page - PAGE, 2 * PAGE));
	CHECK_EQ(areas(), 0);
	CHECK_EQ(total_mapped(ctx), 0);
	CHECK_RET(find(0, UINT64_MAX, &found), -ENOENT);
}

static void
map_at_0(void **state)
{
	struct ioasid_map found;

	(void)state;
	map(0, PAGE);
	CHECK_OK(find(0, 1, &found));
	CHECK_EQ(found.iova, 0);
	CHECK_OK(unmap(0, PAGE));
}

/* The same memory may be mapped at many IOVAs. */
static void
map_the_same_memory_twice(void **state)
{
	(void)state;
	CHECK_OK(ioasid_map(ctx, ioas, VA, 0, PAGE, RW));
	CHECK_OK(ioasid_map(ctx, ioas, VA, PAGE, PAGE, RW));
	CHECK_EQ(total_mapped(ctx), 2 * PAGE);
}

/* The same IOVA may be mapped in every IOASID. */
static void
ioasids_are_separate(void **state)
{
	const uint32_t second = alloc();

	(void)state;
	map(0, PAGE);
	CHECK_OK(ioasid_map(ctx, second, VA, 0, PAGE, RW));
	CHECK_OK(unmap(0, PAGE));
	CHECK_EQ(fake_areas(ioasid_fd(ctx), second), 1);
}

/* Overlaps: of a map at pages 10 to 13 */

static const struct {
	uint64_t page, pages;
	bool overlaps;
} overlaps[] = {
	{ 8, 2, false }, { 9, 1, false }, { 14, 1, false }, { 14, 8, false }, { 0, 10, false },
	{ 10, 4, true }, { 10, 1, true }, { 13, 1, true },  { 11, 2, true },  { 9, 2, true },
	{ 13, 2, true }, { 9, 6, true },  { 0, 100, true },
};

static void
overlap_is_found_before_the_kernel_is_asked(void **state)
{
	(void)state;
	map(10 * PAGE, 4 * PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
		const uint64_t iova = overlaps[i].page * PAGE, length = overlaps[i].pages * PAGE;
		const unsigned int asked = fake_count(KABI_MAP);

		print_message("pages %" PRIu64 " + %" PRIu64 "\n", overlaps[i].page,
			      overlaps[i].pages);
		if (!overlaps[i].overlaps) {
			CHECK_OK(try_map(iova, length));
			CHECK_OK(unmap(iova, length));
			continue;
		}
		CHECK_ERR(try_map(iova, length), EEXIST);
		CHECK_SAYS("overlaps the map 0xa000-0xdfff");
		CHECK_EQ(fake_count(KABI_MAP), asked);
		CHECK_EQ(areas(), 1);
	}
	CHECK_EQ(total_mapped(ctx), 4 * PAGE);
}

static void
overlap_with_the_lower_or_the_upper_neighbour(void **state)
{
	(void)state;
	map(0, 2 * PAGE);
	map(4 * PAGE, 2 * PAGE);
	CHECK_ERR(try_map(PAGE, 2 * PAGE), EEXIST);
	CHECK_SAYS("0x0-0x1fff");
	CHECK_ERR(try_map(3 * PAGE, 2 * PAGE), EEXIST);
	CHECK_SAYS("0x4000-0x5fff");
	map(2 * PAGE, 2 * PAGE);
}

/* Where the kernel finds one all the same (raw ioctls on the fd), it is told too. */
static void
overlap_found_by_the_kernel(void **state)
{
	(void)state;
	fake_fail(KABI_MAP, 1, EEXIST);
	CHECK_ERR(try_map(0, PAGE), EEXIST);
	CHECK_SAYS("IOVA 0x0 length 0x1000");
	CHECK_EQ(total_mapped(ctx), 0);
}

/* Reserved regions */

static const struct {
	uint64_t iova, length;
} in_msi[] = {
	{ MSI_START, PAGE },
	{ MSI_LAST + 1 - PAGE, PAGE },
	{ MSI_START - PAGE, 2 * PAGE },
	{ MSI_LAST + 1 - PAGE, 2 * PAGE },
	{ MSI_START - PAGE, 0x100000 + 2 * PAGE },
	{ MSI_START + PAGE, PAGE },
	{ 0, UINT64_C(1) << 40 },
};

static void
map_touching_a_reserved_region(void **state)
{
	(void)state;
	attach(join(NIC0), ioas);
	for (size_t i = 0; i < ARRAY_SIZE(in_msi); i++) {
		CHECK_ERR(try_map(in_msi[i].iova, in_msi[i].length), EADDRINUSE);
		CHECK_SAYS("0xfee00000-0xfeefffff (msi)");
		CHECK_SAYS("of IOMMU group 11: ");
	}
	CHECK_EQ(fake_count(KABI_MAP), 0);
	map(MSI_START - PAGE, PAGE);
	map(MSI_LAST + 1, PAGE);
}

/* Of one byte each: the first of a page, and the last of a page. */
static void
map_touching_a_region_by_one_byte(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions",
			 "0x10000 0x10000 reserved\n0x20fff 0x20fff reserved\n");
	attach(join(NIC0), ioas);
	CHECK_ERR(try_map(0x10000, PAGE), EADDRINUSE);
	CHECK_ERR(try_map(0xf000, 2 * PAGE), EADDRINUSE);
	CHECK_ERR(try_map(0x20000, PAGE), EADDRINUSE);
	map(0xf000, PAGE);
	map(0x11000, PAGE);
	map(0x21000, PAGE);
}

/* The region is the disk controller's, which joined and is not who attaches. */
static void
map_touching_a_region_of_another_member(void **state)
{
	(void)state;
	join(GROUP_HD);
	attach(join(GROUP_NIC), ioas);
	CHECK_ERR(try_map(HD_START, PAGE), EADDRINUSE);
	CHECK_SAYS("0x40000000-0x4fffffff (reserved)");
	CHECK_SAYS("of IOMMU group 13: ");
	CHECK_EQ(areas(), 0);
	map(HD_START - PAGE, PAGE);
	map(HD_LAST + 1, PAGE);
}

/* The kernel would map it: it knows the regions of attached devices only. */
static void
map_touching_a_region_of_a_member_not_joined(void **state)
{
	(void)state;
	fake_set_driver(GROUP_HD, NULL);
	attach(join_implicit(GROUP_NIC), ioas);
	CHECK_ERR(try_map(HD_START, PAGE), EADDRINUSE);
	CHECK_EQ(areas(), 0);
}

static void
map_in_a_relaxable_region(void **state)
{
	(void)state;
	join(GROUP_HD);
	attach(join(GROUP_NIC), ioas);
	map(RELAXABLE_START, PAGE);
	map(RELAXABLE_LAST + 1 - PAGE, PAGE);
}

static void
regions_bind_only_while_and_where_attached(void **state)
{
	const uint32_t second = alloc();
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	map(MSI_START, PAGE);
	CHECK_OK(unmap(MSI_START, PAGE));
	attach(dev, second);
	map(MSI_START, PAGE);
	CHECK_ERR(ioasid_map(ctx, second, VA, MSI_START, PAGE, RW), EADDRINUSE);
	ioasid_leave(dev);
	CHECK_OK(ioasid_map(ctx, second, VA, MSI_START, PAGE, RW));
}

/* Refused by the kernel */

static void
map_outside_the_aperture(void **state)
{
	(void)state;
	attach(join(NIC0), ioas);
	CHECK_ERR(try_map(UINT64_C(1) << 48, PAGE), EINVAL);
	CHECK_SAYS("IOVA 0x1000000000000 length 0x1000");
	CHECK_SAYS("beyond what the IOMMU can address");
	CHECK_ERR(try_map((UINT64_C(1) << 48) - PAGE, 2 * PAGE), EINVAL);
	CHECK_EQ(total_mapped(ctx), 0);
	map((UINT64_C(1) << 48) - PAGE, PAGE);
}

static void
map_of_what_is_not_memory(void **state)
{
	(void)state;
	attach(join(NIC0), ioas);
	fake_machine.bad_va = VA + 2 * PAGE;
	CHECK_ERR(try_map(0, 4 * PAGE), EFAULT);
	CHECK_SAYS("VA 0x7f0000000000");
	CHECK_SAYS("is not memory of this process");
	CHECK_EQ(total_mapped(ctx), 0);
	CHECK_OK(try_map(0, 2 * PAGE));
}

static void
map_of_memory_that_wraps_around(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_map(ctx, ioas, 0 - PAGE, 0, 2 * PAGE, RW), EOVERFLOW);
	CHECK_SAYS("VA 0xfffffffffffff000");
	CHECK_SAYS("wraps around");
	CHECK_EQ(total_mapped(ctx), 0);
}

static void
map_more_than_may_be_pinned(void **state)
{
	(void)state;
	attach(join(NIC0), ioas);
	fake_machine.memlock = 4 * PAGE;
	map(0, 3 * PAGE);
	CHECK_ERR(try_map(8 * PAGE, 2 * PAGE), ENOMEM);
	CHECK_SAYS("IOVA 0x8000 length 0x2000");
	CHECK_SAYS("RLIMIT_MEMLOCK");
	CHECK_EQ(total_mapped(ctx), 3 * PAGE);
	CHECK_EQ(fake_pinned(), 3 * PAGE);
	map(8 * PAGE, PAGE);
}

/* What failed is not remembered as mapped. */
static void
map_that_failed_can_be_tried_again(void **state)
{
	struct ioasid_map found;

	(void)state;
	fake_fail(KABI_MAP, 1, ENOMEM);
	CHECK_ERR(try_map(0, PAGE), ENOMEM);
	CHECK_RET(find(0, PAGE, &found), -ENOENT);
	CHECK_ERR(unmap(0, PAGE), ENOENT);
	CHECK_OK(try_map(0, PAGE));
}

/* Unmapping: whole maps, without a gap. Maps at pages 2-3, 4-6 and 8. */

static void
map_three(void)
{
	map(2 * PAGE, 2 * PAGE);
	map(4 * PAGE, 3 * PAGE);
	map(8 * PAGE, PAGE);
}

static const struct {
	uint64_t page, pages;
	int err;
	const char *says;
} cuts[] = {
	{ 0, 1, ENOENT, "nothing is mapped at 0x0" },
	{ 0, 4, ENOENT, "nothing is mapped at 0x0" }, /* gap before */
	{ 7, 1, ENOENT, "nothing is mapped at 0x7000" },
	{ 9, 1, ENOENT, "nothing is mapped at 0x9000" },
	{ 4, 5, ENOENT, "nothing is mapped at 0x7000" }, /* gap between */
	{ 2, 7, ENOENT, "nothing is mapped at 0x7000" },
	{ 8, 2, ENOENT, "nothing is mapped at 0x9000" }, /* gap behind */
	{ 2, 1, EINVAL, "cut the map 0x2000-0x3fff" },   /* its beginning */
	{ 3, 1, EINVAL, "cut the map 0x2000-0x3fff" },   /* its end */
	{ 5, 1, EINVAL, "cut the map 0x4000-0x6fff" },   /* its middle */
	{ 2, 3, EINVAL, "cut the map 0x4000-0x6fff" },   /* the second of two */
	{ 3, 4, EINVAL, "cut the map 0x2000-0x3fff" },   /* the first of two */
};

static void
unmap_of_parts_is_refused_before_the_kernel_is_asked(void **state)
{
	(void)state;
	map_three();
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		print_message("pages %" PRIu64 " + %" PRIu64 "\n", cuts[i].page, cuts[i].pages);
		CHECK_ERR(unmap(cuts[i].page * PAGE, cuts[i].pages * PAGE), cuts[i].err);
		CHECK_SAYS(cuts[i].says);
		CHECK_EQ(fake_count(KABI_UNMAP), 0);
		CHECK_EQ(areas(), 3);
		CHECK_EQ(total_mapped(ctx), 6 * PAGE);
	}
}

static void
unmap_one_of_several(void **state)
{
	struct ioasid_map found;

	(void)state;
	map_three();
	CHECK_OK(unmap(4 * PAGE, 3 * PAGE));
	CHECK_EQ(areas(), 2);
	CHECK_EQ(total_mapped(ctx), 3 * PAGE);
	CHECK_RET(find(4 * PAGE, 3 * PAGE, &found), -ENOENT);
	CHECK_OK(find(3 * PAGE, PAGE, &found));
	CHECK_OK(find(8 * PAGE, PAGE, &found));
}

static void
unmap_several_at_once(void **state)
{
	(void)state;
	map_three();
	map(7 * PAGE, PAGE);
	CHECK_OK(unmap(2 * PAGE, 7 * PAGE));
	CHECK_EQ(fake_count(KABI_UNMAP), 1);
	CHECK_EQ(areas(), 0);
	CHECK_EQ(total_mapped(ctx), 0);
	map_three();
}

static void
unmap_twice(void **state)
{
	(void)state;
	map(0, PAGE);
	CHECK_OK(unmap(0, PAGE));
	CHECK_ERR(unmap(0, PAGE), ENOENT);
}

static void
unmap_refused_by_the_kernel_keeps_the_map(void **state)
{
	(void)state;
	map(0, PAGE);
	fake_fail(KABI_UNMAP, 1, EBUSY);
	CHECK_ERR(unmap(0, PAGE), EBUSY);
	CHECK_SAYS("IOVA 0x0-0xfff");
	CHECK_EQ(total_mapped(ctx), PAGE);
	CHECK_ERR(try_map(0, PAGE), EEXIST);
	CHECK_OK(unmap(0, PAGE));
}

static void
unmap_while_attached_unpins(void **state)
{
	(void)state;
	attach(join(NIC0), ioas);
	map_three();
	CHECK_EQ(fake_pinned(), 6 * PAGE);
	CHECK_OK(unmap(2 * PAGE, 5 * PAGE));
	CHECK_EQ(fake_pinned(), PAGE);
}

/* Another thread's map, in the middle of which the kernel is held. */

static int others_ret;

static void *
map_elsewhere(void *arg)
{
	(void)arg;
	others_ret = ioasid_map(ctx, ioas, VA, 2 * PAGE, 2 * PAGE, RW);
	return NULL;
}

static void *
unmap_elsewhere(void *arg)
{
	(void)arg;
	others_ret = ioasid_unmap(ctx, ioas, 2 * PAGE, 2 * PAGE);
	return NULL;
}

/* Nobody waits for it, and nobody takes it for a map that is there. */
static void
check_while_held(void)
{
	struct ioasid_map found;

	CHECK_ERR(try_map(3 * PAGE, PAGE), EBUSY);
	CHECK_SAYS("0x2000-0x3fff is being made or removed by another thread");
	CHECK_ERR(unmap(2 * PAGE, 2 * PAGE), EBUSY);
	CHECK_SAYS("0x2000-0x3fff is being made or removed by another thread");
	CHECK_ERR(unmap(3 * PAGE, PAGE), EBUSY);
	CHECK_RET(find(2 * PAGE, 2 * PAGE, &found), -ENOENT);
	CHECK_EQ(ioasid_list_maps(ctx, ioas, 0, &found, 1), 0);
	CHECK_ERR(ioasid_free(ctx, ioas), EBUSY);
	/* What is beside it goes on, and is found in spite of it. */
	map(0, 2 * PAGE);
	map(4 * PAGE, PAGE);
	CHECK_OK(find(2 * PAGE, 3 * PAGE, &found));
	CHECK_EQ(found.iova, 4 * PAGE);
	CHECK_OK(unmap(0, 2 * PAGE));
	CHECK_ERR(unmap(2 * PAGE, 3 * PAGE), EBUSY);
	CHECK_OK(unmap(4 * PAGE, PAGE));
}

static void
hold_another(unsigned long request, void *(*fn)(void *))
{
	pthread_t thread;

	fake_hold(request);
	assert_int_equal(pthread_create(&thread, NULL, fn, NULL), 0);
	fake_wait_held();
	check_while_held();
	fake_let_go();
	pthread_join(thread, NULL);
}

static void
map_that_another_thread_is_making(void **state)
{
	struct ioasid_map found;

	(void)state;
	hold_another(KABI_MAP, map_elsewhere);
	CHECK_OK(others_ret);
	CHECK_EQ(total_mapped(ctx), 2 * PAGE);
	CHECK_OK(find(3 * PAGE, 1, &found));
	CHECK_ERR(try_map(3 * PAGE, PAGE), EEXIST);
	CHECK_OK(unmap(2 * PAGE, 2 * PAGE));
	/* And one that is not made after all. */
	fake_fail(KABI_MAP, 3, ENOMEM);
	hold_another(KABI_MAP, map_elsewhere);
	CHECK_RET(others_ret, -ENOMEM);
	CHECK_EQ(total_mapped(ctx), 0);
	map(3 * PAGE, PAGE);
}

static void
map_that_another_thread_is_removing(void **state)
{
	struct ioasid_map found;

	(void)state;
	map(2 * PAGE, 2 * PAGE);
	/* Two of ours come first. */
	fake_fail(KABI_UNMAP, 3, EIO);
	hold_another(KABI_UNMAP, unmap_elsewhere);
	CHECK_RET(others_ret, -EIO);
	CHECK_EQ(fake_fail_clear(), 1);
	CHECK_OK(find(2 * PAGE, 1, &found));
	CHECK_EQ(total_mapped(ctx), 2 * PAGE);
	hold_another(KABI_UNMAP, unmap_elsewhere);
	CHECK_OK(others_ret);
	CHECK_EQ(total_mapped(ctx), 0);
	CHECK_EQ(areas(), 0);
	map(2 * PAGE, 2 * PAGE);
}

/* Finding */

static void
find_gives_the_first_map(void **state)
{
	const struct {
		uint64_t page, pages;
		uint64_t found; /* page of the map, UINT64_MAX: none */
	} rows[] = {
		{ 0, 2, UINT64_MAX },
		{ 0, 3, 2 },
		{ 0, 100, 2 },
		{ 2, 1, 2 },
		{ 3, 1, 2 },
		{ 3, 2, 2 },
		{ 4, 1, 4 },
		{ 6, 1, 4 },
		{ 6, 3, 4 },
		{ 7, 1, UINT64_MAX },
		{ 7, 2, 8 },
		{ 8, 1, 8 },
		{ 9, 100, UINT64_MAX },
	};

	(void)state;
	map_three();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ioasid_map found = { .iova = 1, .va = 2, .length = 3 };
		int ret = find(rows[i].page * PAGE, rows[i].pages * PAGE, &found);

		print_message("pages %" PRIu64 " + %" PRIu64 "\n", rows[i].page, rows[i].pages);
		if (rows[i].found == UINT64_MAX) {
			CHECK_RET(ret, -ENOENT);
			CHECK_EQ(found.iova, 1);
			continue;
		}
		CHECK_OK(ret);
		CHECK_EQ(found.iova, rows[i].found * PAGE);
		CHECK_EQ(found.va, VA + rows[i].found * PAGE);
	}
}

static void
find_gives_va_and_length(void **state)
{
	struct ioasid_map found;

	(void)state;
	CHECK_OK(ioasid_map(ctx, ioas, VA, 16 * PAGE, 3 * PAGE, RW));
	CHECK_OK(find(17 * PAGE, 1, &found));
	CHECK_EQ(found.iova, 16 * PAGE);
	CHECK_EQ(found.va, VA);
	CHECK_EQ(found.length, 3 * PAGE);
}

/* "None" is an answer, not a failure to be told. */
static void
find_sets_no_sentence(void **state)
{
	struct ioasid_map found;
	char before[256];

	(void)state;
	CHECK_ERR(ioasid_free(ctx, 99), ENOENT);
	snprintf(before, sizeof(before), "%s", ioasid_error());
	CHECK_RET(find(0, PAGE, &found), -ENOENT);
	CHECK_RET(find(0, 0, &found), -EINVAL);
	CHECK_RET(find(PAGE, UINT64_MAX, &found), -EINVAL);
	CHECK_RET(ioasid_find_map(ctx, 99, 0, PAGE, &found), -ENOENT);
	CHECK_STR(ioasid_error(), before);
}

/*
 * Thousands of maps and unmaps at random, against a model that is as simple as can be:
 * for every page of a small address space, which map it belongs to.
 */

#define PAGES 256
#define STEPS 20000

static unsigned int model[PAGES]; /* 0: not mapped */
static unsigned int next_map;
static uint32_t seed;

static unsigned int
random_below(unsigned int n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static bool
model_is_free(unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++)
		if (model[i] != 0)
			return false;
	return true;
}

static unsigned int
model_mapped(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PAGES; i++)
		n += model[i] != 0;
	return n;
}

static unsigned int
model_maps(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PAGES; i++)
		n += model[i] != 0 && (i == 0 || model[i - 1] != model[i]);
	return n;
}

/* What unmapping should say: a cut or a gap, whichever comes first. */
static int
model_unmap_result(unsigned int first, unsigned int n)
{
	const unsigned int end = first + n;

	for (unsigned int i = first; i < end; i++) {
		if (model[i] == 0)
			return -ENOENT;
		if (i == first && i > 0 && model[i - 1] == model[i])
			return -EINVAL;
		/* The map that begins here ends beyond the range. */
		if (end < PAGES && model[i] == model[end])
			return -EINVAL;
	}
	return 0;
}

static void
random_map(unsigned int first, unsigned int n)
{
	const uint64_t iova = first * PAGE;

	if (!model_is_free(first, n)) {
		CHECK_RET(ioasid_map(ctx, ioas, VA + iova, iova, n * PAGE, RW), -EEXIST);
		return;
	}
	CHECK_OK(ioasid_map(ctx, ioas, VA + iova, iova, n * PAGE, RW));
	next_map++;
	for (unsigned int i = first; i < first + n; i++)
		model[i] = next_map;
}

/* A gap and a cut in one range may be told either way; both are refused. */
static void
random_unmap(unsigned int first, unsigned int n)
{
	const int want = model_unmap_result(first, n);
	const int ret = unmap(first * PAGE, n * PAGE);

	if (want == 0)
		CHECK_OK(ret);
	else
		CHECK(ret == -ENOENT || ret == -EINVAL);
	if (ret < 0)
		return;
	for (unsigned int i = first; i < first + n; i++)
		model[i] = 0;
}

static void
random_find(unsigned int first, unsigned int n)
{
	struct ioasid_map found;
	unsigned int i = first, map_first, map_end;

	while (i < first + n && model[i] == 0)
		i++;
	if (i == first + n) {
		CHECK_RET(find(first * PAGE, n * PAGE, &found), -ENOENT);
		return;
	}
	for (map_first = i; map_first > 0 && model[map_first - 1] == model[i];)
		map_first--;
	for (map_end = i; map_end < PAGES && model[map_end] == model[i];)
		map_end++;
	CHECK_OK(find(first * PAGE, n * PAGE, &found));
	CHECK_EQ(found.iova, map_first * PAGE);
	CHECK_EQ(found.length, (map_end - map_first) * PAGE);
	CHECK_EQ(found.va, VA + map_first * PAGE);
}

/* The range of a map there is, and sometimes of the one behind it, so unmap can succeed. */
static void
pick_whole_maps(unsigned int *first, unsigned int *n)
{
	unsigned int i = *first, end;

	if (model[i] == 0)
		return;
	while (i > 0 && model[i - 1] == model[i])
		i--;
	*first = i;
	for (end = i; end < PAGES && model[end] == model[i];)
		end++;
	if (end < PAGES && model[end] != 0 && random_below(2) == 0)
		for (i = end; end < PAGES && model[end] == model[i];)
			end++;
	*n = end - *first;
}

static void
random_step(void)
{
	unsigned int first = random_below(PAGES), n = 1 + random_below(8);

	if (first + n > PAGES)
		n = PAGES - first;
	switch (random_below(4)) {
	case 0:
	case 1:
		random_map(first, n);
		break;
	case 2:
		if (random_below(3) > 0)
			pick_whole_maps(&first, &n);
		random_unmap(first, n);
		break;
	default:
		random_find(first, n);
	}
}

static void
random_maps_agree_with_a_model(void **state)
{
	(void)state;
	memset(model, 0, sizeof(model));
	next_map = 0;
	seed = 20211022;
	attach(join(NIC0), ioas);
	for (unsigned int i = 0; i < STEPS; i++) {
		random_step();
		CHECK_EQ(total_mapped(ctx), model_mapped() * PAGE);
		CHECK_EQ(fake_pinned(), model_mapped() * PAGE);
		CHECK_EQ(areas(), model_maps());
	}
	/* That the walk went anywhere. */
	CHECK(next_map > STEPS / 20);
	CHECK_EQ(fake_count(KABI_MAP), next_map);
	CHECK(fake_count(KABI_UNMAP) > STEPS / 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(map_reaches_the_kernel_as_given),
		TEST(map_without_access_or_with_unknown_access),
		TEST(map_in_unknown_ioasid),
		TEST(map_of_nothing_or_beyond_the_end),
		TEST(map_misaligned),
		TEST(map_up_to_the_last_byte),
		TEST(map_at_0),
		TEST(map_the_same_memory_twice),
		TEST(ioasids_are_separate),
		TEST(overlap_is_found_before_the_kernel_is_asked),
		TEST(overlap_with_the_lower_or_the_upper_neighbour),
		TEST(overlap_found_by_the_kernel),
		TEST(map_touching_a_reserved_region),
		TEST(map_touching_a_region_by_one_byte),
		TEST(map_touching_a_region_of_another_member),
		TEST(map_touching_a_region_of_a_member_not_joined),
		TEST(map_in_a_relaxable_region),
		TEST(regions_bind_only_while_and_where_attached),
		TEST(map_outside_the_aperture),
		TEST(map_of_what_is_not_memory),
		TEST(map_of_memory_that_wraps_around),
		TEST(map_more_than_may_be_pinned),
		TEST(map_that_failed_can_be_tried_again),
		TEST(unmap_of_parts_is_refused_before_the_kernel_is_asked),
		TEST(unmap_one_of_several),
		TEST(unmap_several_at_once),
		TEST(unmap_twice),
		TEST(unmap_refused_by_the_kernel_keeps_the_map),
		TEST(unmap_while_attached_unpins),
		TEST(map_that_another_thread_is_making),
		TEST(map_that_another_thread_is_removing),
		TEST(find_gives_the_first_map),
		TEST(find_gives_va_and_length),
		TEST(find_sets_no_sentence),
		TEST(random_maps_agree_with_a_model),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
