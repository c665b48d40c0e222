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
	CHECK_OK(ioasid_open(NULL, NULL, &ctx));
	CHECK_STR(ioasid_path(ctx), "/dev/ioasid");
	CHECK_EQ(fake_count(FAKE_OPEN), 1);
}

static void
open_falls_back_to_dev_iommu(void **state)
{
	(void)state;
	CHECK_OK(ioasid_open(NULL, NULL, &ctx));
	CHECK_STR(ioasid_path(ctx), "/dev/iommu");
	CHECK_EQ(fake_count(FAKE_OPEN), 2);
}

static void
open_given_path_has_no_fallback(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_open("/dev/ioasid", NULL, &ctx), ENOENT);
	CHECK_SAYS("/dev/ioasid");
	CHECK_EQ(fake_count(FAKE_OPEN), 1);
	CHECK_OK(ioasid_open("/dev/iommu", NULL, &ctx));
	CHECK_STR(ioasid_path(ctx), "/dev/iommu");
}

/* An alias that may not be opened is a mistake to be told, not to be worked around. */
static void
open_falls_back_only_if_the_alias_is_missing(void **state)
{
	(void)state;
	fake_machine.has_alias = true;
	fake_fail(FAKE_OPEN, 1, EACCES);
	CHECK_ERR(ioasid_open(NULL, NULL, &ctx), EACCES);
	CHECK_SAYS("/dev/ioasid");
	CHECK_EQ(fake_count(FAKE_OPEN), 1);
}

static void
open_without_any_node_names_dev_iommu(void **state)
{
	(void)state;
	fake_machine.has_iommufd = false;
	CHECK_ERR(ioasid_open(NULL, NULL, &ctx), ENOENT);
	CHECK_SAYS("/dev/iommu");
	CHECK_SAYS("no iommufd");
}

static void
open_of_another_device_is_refused(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_open("/dev/null", NULL, &ctx), ENOTTY);
	CHECK_SAYS("/dev/null");
	CHECK_SAYS("is not an iommufd");
	CHECK_EQ(fake_open_files(), 0);
}

static void
open_allocates_nothing(void **state)
{
	(void)state;
	CHECK_OK(ioasid_open(NULL, NULL, &ctx));
	/* The first id is still free: the probe by IOAS_ALLOC made no IOAS. */
	CHECK_EQ(alloc(), 1);
	CHECK_EQ(fake_open_files(), 1);
}

static void
open_path_is_copied(void **state)
{
	char path[] = "/dev/iommu";

	(void)state;
	CHECK_OK(ioasid_open(path, NULL, &ctx));
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
	CHECK_OK(ioasid_open(NULL, NULL, &second));
	CHECK(ioasid_fd(second) != ioasid_fd(ctx));
	map(0, PAGE);
	CHECK_EQ(total_mapped(ctx), PAGE);
	CHECK_EQ(total_mapped(second), 0);
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
	CHECK_EQ(total_mapped(ctx), 0);
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
	CHECK_EQ(total_mapped(ctx), PAGE);
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

static void
compat_is_one_choice_for_the_context(void **state)
{
	uint32_t second = alloc();

	(void)state;
	CHECK_EQ(fake_compat(ioasid_fd(ctx)), 0);
	CHECK_OK(ioasid_set_compat(ctx, ioas));
	CHECK_EQ(fake_compat(ioasid_fd(ctx)), ioas);
	CHECK_OK(ioasid_set_compat(ctx, second));
	CHECK_EQ(fake_compat(ioasid_fd(ctx)), second);
	CHECK_OK(ioasid_free(ctx, second));
	CHECK_EQ(fake_compat(ioasid_fd(ctx)), 0);
}

static void
compat_tells_kernel_errors(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_set_compat(ctx, 63), ENOENT);
	CHECK_SAYS("IOASID 63: choose for VFIO's own calls failed");
	CHECK_SAYS("does not exist");
	fake_fail(KABI_VFIO_IOAS, 1, ENOTTY);
	CHECK_ERR(ioasid_set_compat(ctx, ioas), ENOTTY);
	CHECK_EQ(fake_fail_clear(), 1);
}

static void
mapped_bytes_is_the_sum_over_all_ioasids(void **state)
{
	uint32_t second;

	(void)state;
	CHECK_EQ(total_mapped(ctx), 0);
	second = alloc();
	map(0, 2 * PAGE);
	CHECK_OK(ioasid_map(ctx, second, VA, 0, 3 * PAGE, RW));
	CHECK_EQ(total_mapped(ctx), 5 * PAGE);
	CHECK_OK(ioasid_unmap(ctx, ioas, 0, 2 * PAGE));
	CHECK_EQ(total_mapped(ctx), 3 * PAGE);
	CHECK_OK(ioasid_free(ctx, second));
	CHECK_EQ(total_mapped(ctx), 0);
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
		TEST(compat_is_one_choice_for_the_context),
		TEST(compat_tells_kernel_errors),
		TEST(mapped_bytes_is_the_sum_over_all_ioasids),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
