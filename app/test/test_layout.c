/* SPDX-License-Identifier: BSD-3-Clause */

/* Which pages of DPDK's memory become one map. */

#include <rte_memory.h>

#include "layout.h"
#include "test.h"

#define PAGES 8
#define SIZE  UINT64_C(0x200000)

static struct rte_memseg_list list, other_list;
static struct rte_memseg pages[PAGES];
/* What stands behind the pages; fd -1: nothing. */
static struct {
	int fd;
	size_t offset;
} files[PAGES];

/* Two functions of EAL's (--wrap). */
int __wrap_rte_memseg_get_fd_thread_unsafe(const struct rte_memseg *ms);
int __wrap_rte_memseg_get_fd_offset_thread_unsafe(const struct rte_memseg *ms, size_t *offset);

int
__wrap_rte_memseg_get_fd_thread_unsafe(const struct rte_memseg *ms)
{
	return files[ms - pages].fd;
}

int
__wrap_rte_memseg_get_fd_offset_thread_unsafe(const struct rte_memseg *ms, size_t *offset)
{
	*offset = files[ms - pages].offset;
	return 0;
}

/* LARGE: a file per page, too, of more pages than are looked at. */
enum kind { NO_FILE, FILE_PER_PAGE, LARGE_FILE_PER_PAGE, ONE_FILE };

static int
setup(void **state)
{
	(void)state;
	memset(&list, 0, sizeof(list));
	list.page_sz = SIZE;
	list.memseg_arr.count = PAGES;
	for (uint64_t i = 0; i < PAGES; i++) {
		pages[i] = (struct rte_memseg){
			.addr_64 = VA + i * SIZE,
			.iova = VA + i * SIZE,
			.len = SIZE,
			.flags = RTE_MEMSEG_FLAG_DO_NOT_FREE,
		};
	}
	return 0;
}

static void
set_files(enum kind kind)
{
	if (kind == LARGE_FILE_PER_PAGE)
		list.memseg_arr.count = 512;
	for (int i = 0; i < PAGES; i++) {
		files[i].fd = kind == NO_FILE ? -1 : kind == ONE_FILE ? 10 : 10 + i;
		files[i].offset = kind == ONE_FILE ? (size_t)i * SIZE : 0;
	}
}

/* The number of areas that the pages become; `other_files` pages are of another file. */
static unsigned int
areas(const struct layout *layout, unsigned int *other_files)
{
	struct layout_area area = { 0 };
	unsigned int n = 0;

	*other_files = 0;
	for (int i = 0; i < PAGES; i++) {
		const struct layout_area page = layout_page(layout, &list, &pages[i]);

		*other_files += layout_is_other_file(&area, &page);
		if (layout_join(&area, &page))
			continue;
		n++;
		area = page;
	}
	return n;
}

static void
clear_flags(void)
{
	for (int i = 0; i < PAGES; i++)
		pages[i].flags = 0;
}

/* What is the rule for each kind of memory: the table of memory layouts. */
static void
every_layout(void **state)
{
	const struct {
		struct layout layout;
		bool may_free; /* not DO_NOT_FREE */
		enum kind kind;
		unsigned int areas, other_files;
	} rows[] = {
		/* -m, by address: files do not matter */
		{ { 0 }, false, FILE_PER_PAGE, 1, 0 },
		{ { 0 }, false, LARGE_FILE_PER_PAGE, 1, 0 },
		{ { 0 }, false, ONE_FILE, 1, 0 },
		{ { 0 }, false, NO_FILE, 1, 0 },
		/* -m, by file */
		{ { .by_file = true }, false, FILE_PER_PAGE, 1, PAGES - 1 },
		{ { .by_file = true }, false, LARGE_FILE_PER_PAGE, PAGES, PAGES - 1 },
		{ { .by_file = true }, false, ONE_FILE, 1, 0 },
		{ { .by_file = true }, false, NO_FILE, 1, 0 },
		/* dynamic memory, in any way: a page is freed by itself */
		{ { 0 }, true, FILE_PER_PAGE, PAGES, 0 },
		{ { .by_file = true }, true, FILE_PER_PAGE, PAGES, 0 },
		{ { .by_file = true }, true, ONE_FILE, PAGES, 0 },
		/* legacy memory, no hugepages: never freed, whatever the flags */
		{ { .never_freed = true }, true, FILE_PER_PAGE, 1, 0 },
		{ { .by_file = true, .never_freed = true }, true, ONE_FILE, 1, 0 },
		/* --match-allocations */
		{ { .freed_whole = true }, true, FILE_PER_PAGE, 1, 0 },
		{ { .by_file = true, .freed_whole = true }, true, ONE_FILE, 1, 0 },
		{ { .by_file = true, .freed_whole = true }, true, FILE_PER_PAGE, 1, PAGES - 1 },
		{ { .by_file = true, .freed_whole = true },
		  true,
		  LARGE_FILE_PER_PAGE,
		  PAGES,
		  PAGES - 1 },
	};
	unsigned int other_files;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("row %zu\n", i);
		setup(NULL);
		set_files(rows[i].kind);
		if (rows[i].may_free)
			clear_flags();
		CHECK_EQ(areas(&rows[i].layout, &other_files), rows[i].areas);
		CHECK_EQ(other_files, rows[i].other_files);
	}
}

static void
external_memory_is_one_piece_without_a_file(void **state)
{
	const struct layout layout = { .by_file = true };
	struct layout_area page;
	unsigned int other_files;

	(void)state;
	list.external = 1;
	clear_flags();
	set_files(ONE_FILE);
	CHECK_EQ(areas(&layout, &other_files), 1);
	page = layout_page(&layout, &list, &pages[0]);
	CHECK_EQ(page.fd, -1);
}

static void
an_area_is_what_its_pages_are(void **state)
{
	const struct layout layout = { .by_file = true };
	struct layout_area area, page;

	(void)state;
	set_files(ONE_FILE);
	area = layout_page(&layout, &list, &pages[2]);
	page = layout_page(&layout, &list, &pages[3]);
	assert_false(layout_is_other_file(&area, &page));
	assert_true(layout_join(&area, &page));
	CHECK_EQ(area.va, VA + 2 * SIZE);
	CHECK_EQ(area.iova, VA + 2 * SIZE);
	CHECK_EQ(area.length, 2 * SIZE);
	CHECK_EQ(area.fd, 10);
	CHECK_EQ(area.offset, 2 * SIZE);
}

static void
pages_of_many_files_are_one_area_by_address(void **state)
{
	const struct layout layout = { .by_file = true };
	struct layout_area area, page;

	(void)state;
	set_files(FILE_PER_PAGE);
	area = layout_page(&layout, &list, &pages[0]);
	CHECK_EQ(area.fd, 10);
	for (int i = 1; i < 3; i++) {
		page = layout_page(&layout, &list, &pages[i]);
		assert_true(layout_is_other_file(&area, &page));
		assert_true(layout_join(&area, &page));
		CHECK_EQ(area.fd, -1);
	}
	CHECK_EQ(area.va, VA);
	CHECK_EQ(area.length, 3 * SIZE);
}

static void
each_file_of_much_memory_is_an_area(void **state)
{
	const struct layout layout = { .by_file = true };
	struct layout_area area, page;

	(void)state;
	set_files(LARGE_FILE_PER_PAGE);
	area = layout_page(&layout, &list, &pages[0]);
	page = layout_page(&layout, &list, &pages[1]);
	assert_true(layout_is_other_file(&area, &page));
	assert_false(layout_join(&area, &page));
	CHECK_EQ(area.fd, 10);
	CHECK_EQ(area.length, SIZE);
	/* and a page without a file does not join one with */
	files[1].fd = -1;
	page = layout_page(&layout, &list, &pages[1]);
	assert_true(layout_is_other_file(&area, &page));
	assert_false(layout_join(&area, &page));
	/* One page less is too little memory. */
	list.memseg_arr.count--;
	assert_true(layout_is_other_file(&area, &page));
	assert_true(layout_join(&area, &page));
}

/* Where the fourth page begins at a multiple of 256 MiB or 1 GiB, of VA or of something else. */
static unsigned int
areas_around(uint64_t va, uint64_t iova, enum kind kind)
{
	const struct layout layout = { .by_file = true };
	unsigned int other_files;

	set_files(kind);
	for (uint64_t i = 0; i < PAGES; i++) {
		pages[i].addr_64 = va + (i - 3) * SIZE;
		pages[i].iova = iova + (i - 3) * SIZE;
	}
	return areas(&layout, &other_files);
}

static void
much_memory_is_cut(void **state)
{
	const uint64_t mib = UINT64_C(1) << 20;

	(void)state;
	/* Little is not, wherever it lies. */
	CHECK_EQ(areas_around(4096 * mib, 4096 * mib, ONE_FILE), 1);
	list.memseg_arr.count = 512;
	CHECK_EQ(areas_around(4096 * mib, 4096 * mib, ONE_FILE), 2);
	CHECK_EQ(areas_around(4352 * mib, 4352 * mib, ONE_FILE), 2);
	CHECK_EQ(areas_around(4352 * mib, 4352 * mib, NO_FILE), 2);
	CHECK_EQ(areas_around(4352 * mib + SIZE / 2, 4352 * mib + SIZE / 2, ONE_FILE), 1);
	/* Physical addresses: what one entry of the page table can be stays one. */
	CHECK_EQ(areas_around(8192 * mib, 4352 * mib, ONE_FILE), 1);
	CHECK_EQ(areas_around(8192 * mib, 5120 * mib, ONE_FILE), 2);
}

/* And not for its file. */
static void
check_apart(struct layout_area *area, const struct layout_area *page)
{
	assert_false(layout_is_other_file(area, page));
	assert_false(layout_join(area, page));
}

static void
gaps_end_an_area(void **state)
{
	const struct layout layout = { .by_file = true };
	struct layout_area area, page;

	(void)state;
	set_files(ONE_FILE);
	/* of VA */
	pages[1].addr_64 += SIZE;
	area = layout_page(&layout, &list, &pages[0]);
	page = layout_page(&layout, &list, &pages[1]);
	check_apart(&area, &page);
	/* of IOVA: physical addresses */
	setup(NULL);
	pages[1].iova = SIZE;
	page = layout_page(&layout, &list, &pages[1]);
	check_apart(&area, &page);
	/* of the file */
	setup(NULL);
	files[1].offset = 5 * SIZE;
	page = layout_page(&layout, &list, &pages[1]);
	check_apart(&area, &page);
	/* of memseg lists */
	set_files(ONE_FILE);
	page = layout_page(&layout, &other_list, &pages[1]);
	check_apart(&area, &page);
	CHECK_EQ(area.length, SIZE);
}

/* What is never freed and what may be are not one area, from either side. */
static void
permanent_next_to_free(void **state)
{
	const struct layout layout = { 0 };
	unsigned int other_files;

	(void)state;
	set_files(NO_FILE);
	pages[3].flags = 0;
	CHECK_EQ(areas(&layout, &other_files), 3);
}

static void
match_allocations_among_eals_arguments(void **state)
{
	const struct {
		const char *arg;
		bool seen;
	} rows[] = {
		{ "--match-allocationss", false },
		{ "--ma", false }, /* --main-lcore */
		{ "-a", false },
		{ "--", false },
		{ "--mat", true }, /* getopt_long() takes what is unique */
		{ "--match-allocations", true },
	};
	char program[] = "x", end[] = "--", arg[32];
	char *const before[] = { program, arg, end, NULL }, *const behind[] = { program, end, arg };

	(void)state;
	snprintf(arg, sizeof(arg), "--match-allocations");
	layout_read_eal_args(3, behind);
	CHECK(!layout_matches_allocations());
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s\n", rows[i].arg);
		snprintf(arg, sizeof(arg), "%s", rows[i].arg);
		layout_read_eal_args(3, before);
		CHECK_EQ(layout_matches_allocations(), rows[i].seen);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_layout, setup),
		cmocka_unit_test_setup(external_memory_is_one_piece_without_a_file, setup),
		cmocka_unit_test_setup(an_area_is_what_its_pages_are, setup),
		cmocka_unit_test_setup(pages_of_many_files_are_one_area_by_address, setup),
		cmocka_unit_test_setup(each_file_of_much_memory_is_an_area, setup),
		cmocka_unit_test_setup(much_memory_is_cut, setup),
		cmocka_unit_test_setup(gaps_end_an_area, setup),
		cmocka_unit_test_setup(permanent_next_to_free, setup),
		cmocka_unit_test(match_allocations_among_eals_arguments),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
