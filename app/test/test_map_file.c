/* SPDX-License-Identifier: BSD-3-Clause */

/* Maps of files in an IOASID. What they have in common with others is in test_map.c. */

#include <stdlib.h>

#include "test.h"

#define FILE_FD   5
#define TEXT_FD   6
#define FILE_SIZE (16 * PAGE)

static int
setup_file(void **state)
{
	const int ret = setup_ctx(state);

	fake_machine.file = FILE_FD;
	fake_machine.file_size = FILE_SIZE;
	fake_machine.text_file = TEXT_FD;
	return ret;
}

static int
setup_old(void **state)
{
	const int ret = setup_machine(state);

	fake_machine.no_map_file = true;
	CHECK_OK(ioasid_open(NULL, NULL, &ctx));
	CHECK_OK(ioasid_alloc(ctx, &ioas));
	return ret;
}

static int
map_file(uint64_t iova, uint64_t length, int fd, uint64_t offset)
{
	return ioasid_map_file(ctx, ioas, VA, iova, length, RW, fd, offset);
}

/* In the IOASID. */
static uint64_t
mapped_bytes(void)
{
	struct ioasid_info info;

	CHECK_EQ(ioasid_list(ctx, ioas, &info, 1, NULL), 1);
	CHECK_EQ(info.ioasid, ioas);
	return info.mapped;
}

static void
probed_once_without_side_effects(void **state)
{
	(void)state;
	CHECK(ioasid_has_map_file(ctx));
	CHECK_OK(map_file(0, PAGE, FILE_FD, 0));
	CHECK(ioasid_has_map_file(ctx));
	CHECK_EQ(fake_count(KABI_MAP_FILE), 2);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 1);
}

static void
kernel_without_it(void **state)
{
	(void)state;
	CHECK(!ioasid_has_map_file(ctx));
	CHECK_ERR(map_file(0, PAGE, FILE_FD, 0), EOPNOTSUPP);
	CHECK_SAYS("Linux 6.13");
	CHECK_EQ(fake_count(KABI_MAP_FILE), 1);
}

static void
reaches_the_kernel_as_given(void **state)
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
		const uint64_t iova = i * 4 * PAGE;

		CHECK_OK(ioasid_map_file(ctx, ioas, VA, iova, 2 * PAGE, rows[i].prot, FILE_FD,
					 3 * PAGE));
		CHECK(fake_has_file_area(ioasid_fd(ctx), ioas, iova, FILE_FD, 3 * PAGE, 2 * PAGE));
		CHECK_EQ(fake_area_flags(ioasid_fd(ctx), ioas, iova),
			 rows[i].flags | KABI_MAP_FIXED_IOVA);
	}
	CHECK_EQ(mapped_bytes(), 6 * PAGE);
	CHECK_EQ(fake_count(KABI_MAP), 0);
}

static void
is_found_and_unmapped_like_any_other(void **state)
{
	struct ioasid_map found;

	(void)state;
	CHECK_OK(map_file(PAGE, 2 * PAGE, FILE_FD, PAGE));
	CHECK_OK(ioasid_map(ctx, ioas, VA + 9 * PAGE, 3 * PAGE, PAGE, RW));
	CHECK_OK(ioasid_find_map(ctx, ioas, 2 * PAGE, 1, &found));
	CHECK_EQ(found.iova, PAGE);
	CHECK_EQ(found.va, VA);
	CHECK_EQ(found.length, 2 * PAGE);
	CHECK_ERR(map_file(2 * PAGE, PAGE, FILE_FD, 0), EEXIST);
	CHECK_ERR(ioasid_unmap(ctx, ioas, PAGE, PAGE), EINVAL);
	CHECK_OK(ioasid_unmap(ctx, ioas, PAGE, 3 * PAGE));
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 0);
	CHECK_EQ(mapped_bytes(), 0);
}

static void
bad_requests(void **state)
{
	const struct {
		uint64_t va, iova, length;
		unsigned int prot;
		int fd;
		uint64_t offset;
		int err;
		const char *says;
	} rows[] = {
		{ VA, 0, PAGE, 0, FILE_FD, 0, EINVAL, "access" },
		{ VA, 0, PAGE, RW | 4, FILE_FD, 0, EINVAL, "access" },
		{ VA, 0, 0, RW, FILE_FD, 0, EINVAL, "empty" },
		{ VA, 0 - PAGE, 2 * PAGE, RW, FILE_FD, 0, EINVAL, "beyond the end" },
		{ VA + 1, 0, PAGE, RW, FILE_FD, 0, EINVAL, "multiple of the page size" },
		{ VA, 1, PAGE, RW, FILE_FD, 0, EINVAL, "multiple of the page size" },
		{ VA, 0, PAGE + 1, RW, FILE_FD, 0, EINVAL, "multiple of the page size" },
		{ VA, 0, PAGE, RW, FILE_FD, 1, EINVAL, "offset 0x1): not a multiple of the page" },
		{ VA, 0, PAGE, RW, -1, 0, EBADF, "no file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_ERR(ioasid_map_file(ctx, ioas, rows[i].va, rows[i].iova, rows[i].length,
					  rows[i].prot, rows[i].fd, rows[i].offset),
			  rows[i].err);
		CHECK_SAYS(rows[i].says);
	}
	CHECK_ERR(ioasid_map_file(ctx, 99, VA, 0, PAGE, RW, FILE_FD, 0), ENOENT);
	CHECK_SAYS("IOASID 99");
	/* All these were not the kernel's to find. */
	CHECK_EQ(fake_count(KABI_MAP_FILE), 1);
}

static void
reserved_region(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	attach(dev, ioas);
	CHECK_ERR(map_file(MSI_START, PAGE, FILE_FD, 0), EADDRINUSE);
	CHECK_EQ(fake_count(KABI_MAP_FILE), 1);
}

static void
bad_files(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	attach(dev, ioas);
	CHECK_ERR(map_file(0, PAGE, 77, 0), EBADF);
	CHECK_ERR(map_file(0, PAGE, TEXT_FD, 0), EINVAL);
	CHECK_SAYS("neither hugetlbfs nor shared memory");
	CHECK_ERR(map_file(0, 2 * PAGE, FILE_FD, FILE_SIZE - PAGE), EINVAL);
	CHECK_SAYS("too short");
	CHECK_ERR(map_file(0, 2 * PAGE, FILE_FD, 0 - PAGE), EOVERFLOW);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 0);
	CHECK_EQ(mapped_bytes(), 0);
	CHECK_OK(map_file(0, PAGE, FILE_FD, FILE_SIZE - PAGE));
	CHECK_EQ(fake_pinned(), PAGE);
}

/* The kernel looks at the file's pages when it needs them: at ATTACH. */
static void
bad_file_before_attach(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	CHECK_OK(map_file(0, PAGE, TEXT_FD, 0));
	CHECK_ERR(ioasid_attach(dev, ioas), EINVAL);
	CHECK_OK(ioasid_unmap(ctx, ioas, 0, PAGE));
	attach(dev, ioas);
}

static void
memlock(void **state)
{
	struct ioasid_device *dev = join(NIC0);

	(void)state;
	attach(dev, ioas);
	fake_machine.memlock = 2 * PAGE;
	CHECK_ERR(map_file(0, 3 * PAGE, FILE_FD, 0), ENOMEM);
	CHECK_SAYS("KiB");
	CHECK_OK(map_file(0, 2 * PAGE, FILE_FD, 0));
}

#define TEST_FILE(f) cmocka_unit_test_setup_teardown(f, setup_file, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FILE(probed_once_without_side_effects),
		cmocka_unit_test_setup_teardown(kernel_without_it, setup_old, teardown),
		TEST_FILE(reaches_the_kernel_as_given),
		TEST_FILE(is_found_and_unmapped_like_any_other),
		TEST_FILE(bad_requests),
		TEST_FILE(reserved_region),
		TEST_FILE(bad_files),
		TEST_FILE(bad_file_before_attach),
		TEST_FILE(memlock),
	};

	return cmocka_run_group_tests_name("map_file", tests, NULL, NULL);
}
