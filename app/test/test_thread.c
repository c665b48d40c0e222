/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Calls on one context from several threads. Wrong results show in any build; races
 * show in one with -Db_sanitize=thread.
 */

#include <pthread.h>
#include <stdlib.h>

#include "test.h"

#define THREADS 4
#define ROUNDS  200

/* What a thread does, some number of times; it returns how often that went wrong. */
typedef unsigned int (*work_fn)(unsigned int thread, unsigned int round);

struct work {
	pthread_t thread;
	unsigned int number;
	work_fn fn;
	unsigned int wrong;
};

static struct ioasid_device *devs[THREADS];

static void *
run(void *arg)
{
	struct work *work = arg;

	for (unsigned int i = 0; i < ROUNDS; i++)
		work->wrong += work->fn(work->number, i);
	return NULL;
}

/* A check in a thread could not end the test: it is made when all have ended. */
static void
run_all(const work_fn *fns, unsigned int n)
{
	struct work works[THREADS] = { 0 };
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < n; i++) {
		works[i].number = i;
		works[i].fn = fns[i];
		assert_int_equal(pthread_create(&works[i].thread, NULL, run, &works[i]), 0);
	}
	for (unsigned int i = 0; i < n; i++) {
		pthread_join(works[i].thread, NULL);
		wrong += works[i].wrong;
	}
	CHECK_EQ(wrong, 0);
}

/* Maps */

static uint64_t
own_iova(unsigned int thread, unsigned int round)
{
	return (UINT64_C(1) << 32) + (round * THREADS + thread) * PAGE;
}

static unsigned int
map_and_find(unsigned int thread, unsigned int round)
{
	const uint64_t iova = own_iova(thread, round);
	struct ioasid_map found;
	unsigned int wrong = 0;

	wrong += ioasid_map(ctx, ioas, VA + iova, iova, PAGE, RW) != 0;
	wrong += ioasid_find_map(ctx, ioas, iova, PAGE, &found) != 0;
	wrong += found.iova != iova || found.va != VA + iova;
	if (round % 2 == 1)
		wrong += ioasid_unmap(ctx, ioas, iova, PAGE) != 0;
	return wrong;
}

static void
threads_map_in_one_ioasid(void **state)
{
	const work_fn fns[] = { map_and_find, map_and_find, map_and_find, map_and_find };

	(void)state;
	attach(join(NIC0), ioas);
	run_all(fns, THREADS);
	CHECK_EQ(ioasid_mapped_bytes(ctx), THREADS * ROUNDS / 2 * PAGE);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), THREADS * ROUNDS / 2);
}

/* All want the same page: one gets it, the others are told so. */
static unsigned int
map_the_same(unsigned int thread, unsigned int round)
{
	int ret = ioasid_map(ctx, ioas, VA, 0, PAGE, RW);

	(void)thread;
	(void)round;
	if (ret == -EEXIST)
		return strstr(ioasid_error(), "overlaps") == NULL;
	return ret != 0 || ioasid_unmap(ctx, ioas, 0, PAGE) != 0;
}

static void
threads_map_the_same_page(void **state)
{
	const work_fn fns[] = { map_the_same, map_the_same, map_the_same, map_the_same };

	(void)state;
	run_all(fns, THREADS);
	CHECK_EQ(ioasid_mapped_bytes(ctx), 0);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 0);
}

/* IOASIDs */

static unsigned int
alloc_and_free(unsigned int thread, unsigned int round)
{
	struct ioasid_range *ranges;
	unsigned int count, wrong = 0;
	uint32_t id;

	(void)thread;
	(void)round;
	if (ioasid_alloc(ctx, &id) != 0)
		return 1;
	wrong += ioasid_map(ctx, id, VA, 0, PAGE, RW) != 0;
	wrong += ioasid_iova_ranges(ctx, id, &ranges, &count) != 0;
	if (wrong == 0)
		free(ranges);
	wrong += ioasid_mapped_bytes(ctx) < PAGE;
	return wrong + (ioasid_free(ctx, id) != 0);
}

static void
threads_allocate_ioasids(void **state)
{
	const work_fn fns[] = { alloc_and_free, alloc_and_free, alloc_and_free, alloc_and_free };

	(void)state;
	run_all(fns, THREADS);
	CHECK_EQ(ioasid_mapped_bytes(ctx), 0);
}

/* One looks at all there is while the others change it. */

static unsigned int
list_all(unsigned int thread, unsigned int round)
{
	struct ioasid_device_info *devices;
	struct ioasid_group **groups;
	struct ioasid_info *infos;
	struct ioasid_map maps[8];
	unsigned int count;
	unsigned int wrong = 0;

	(void)thread;
	if (ioasid_list(ctx, &infos, &count) != 0)
		return 1;
	wrong += count < 1 || infos[0].ioasid != ioas;
	free(infos);
	if (ioasid_list_devices(ctx, &devices, &count) != 0)
		return wrong + 1;
	for (unsigned int i = 0; i < count; i++)
		wrong += devices[i].ioasid != 0 && devices[i].ioasid != ioas;
	free(devices);
	if (ioasid_list_groups(ctx, &groups, &count) != 0)
		return wrong + 1;
	ioasid_list_groups_free(groups, count);
	count = 8;
	wrong += ioasid_list_maps(ctx, ioas, round, maps, &count) != 0;
	for (unsigned int i = 1; i < count; i++)
		wrong += maps[i].iova <= maps[i - 1].iova;
	return wrong;
}

/* Devices: each thread has its own, of one group or not, while others map */

static const char *const bdfs[THREADS] = { NIC0, NIC1, GROUP_NIC, GROUP_HD };

static unsigned int
join_and_leave(unsigned int thread, unsigned int round)
{
	struct ioasid_device *dev;

	(void)round;
	if (ioasid_join(ctx, fake_sysfs(), bdfs[thread], 0, &dev) != 0)
		return 1;
	/* The two of one group may find the other away. */
	if (ioasid_attach(dev, ioas) != 0 && thread < 2)
		return 1;
	ioasid_leave(dev);
	return 0;
}

static void
threads_join_and_leave(void **state)
{
	const work_fn fns[] = { join_and_leave, join_and_leave, join_and_leave, join_and_leave };

	(void)state;
	map(0, PAGE);
	run_all(fns, THREADS);
	CHECK_EQ(fake_open_files(), 1);
	CHECK_EQ(fake_pinned(), 0);
}

static void
threads_look_at_what_changes(void **state)
{
	const work_fn fns[] = { list_all, join_and_leave, map_and_find, alloc_and_free };

	(void)state;
	run_all(fns, THREADS);
	CHECK_EQ(fake_open_files(), 1);
}

/* One moves its group to and fro, the others ask its sibling where it is. */

static uint32_t other_ioas;

static unsigned int
move(unsigned int thread, unsigned int round)
{
	(void)thread;
	return ioasid_attach(devs[2], round % 2 == 0 ? other_ioas : ioas) != 0;
}

static unsigned int
look(unsigned int thread, unsigned int round)
{
	uint32_t at = ioasid_device_ioasid(devs[3]);

	(void)thread;
	(void)round;
	return (at != ioas && at != other_ioas) || ioasid_device_group(devs[2]) != THE_GROUP;
}

static void
threads_look_at_a_device_that_moves(void **state)
{
	const work_fn fns[] = { move, look, look, map_and_find };

	(void)state;
	other_ioas = alloc();
	devs[2] = join(GROUP_NIC);
	devs[3] = join(GROUP_HD);
	attach(devs[2], ioas);
	attach(devs[3], ioas);
	run_all(fns, THREADS);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_EQ(ioasid_device_ioasid(devs[3]), ioas);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_map_in_one_ioasid),    TEST(threads_map_the_same_page),
		TEST(threads_allocate_ioasids),     TEST(threads_join_and_leave),
		TEST(threads_look_at_what_changes), TEST(threads_look_at_a_device_that_moves),
	};

	return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
