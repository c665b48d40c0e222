/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Calls on one context from several threads. Wrong results show in any build; races
 * show in one with -Db_sanitize=thread.
 */

#include <pthread.h>
#include <stdlib.h>

#include "test.h"

#define THREADS 4
#define MAPPERS 8 /* of user maps */
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
	struct work works[MAPPERS] = { 0 };
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

/* Of at most so many IOASIDs as threads, and the first. */
static uint64_t
mapped_bytes(void)
{
	struct ioasid_info list[THREADS + 1];
	const unsigned int n = ioasid_list(ctx, 0, list, THREADS + 1, NULL);
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < n; i++)
		bytes += list[i].mapped;
	return bytes;
}

/* Maps */

static uint64_t
own_iova(unsigned int thread, unsigned int round)
{
	return (UINT64_C(1) << 32) + (round * MAPPERS + thread) * PAGE;
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
	work_fn fns[MAPPERS];

	(void)state;
	for (unsigned int i = 0; i < MAPPERS; i++)
		fns[i] = map_and_find;
	attach(join(NIC0), ioas);
	run_all(fns, MAPPERS);
	CHECK_EQ(mapped_bytes(), MAPPERS * ROUNDS / 2 * PAGE);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), MAPPERS * ROUNDS / 2);
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
	if (ret == -EBUSY)
		return strstr(ioasid_error(), "by another thread") == NULL;
	return ret != 0 || ioasid_unmap(ctx, ioas, 0, PAGE) != 0;
}

static void
threads_map_the_same_page(void **state)
{
	const work_fn fns[] = { map_the_same, map_the_same, map_the_same, map_the_same };

	(void)state;
	run_all(fns, THREADS);
	CHECK_EQ(mapped_bytes(), 0);
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
	wrong += mapped_bytes() < PAGE;
	return wrong + (ioasid_free(ctx, id) != 0);
}

static void
threads_allocate_ioasids(void **state)
{
	const work_fn fns[] = { alloc_and_free, alloc_and_free, alloc_and_free, alloc_and_free };

	(void)state;
	run_all(fns, THREADS);
	CHECK_EQ(mapped_bytes(), 0);
}

/* One looks at all there is while the others change it. */

static unsigned int
list_all(unsigned int thread, unsigned int round)
{
	struct ioasid_group_info *groups[8];
	struct ioasid_device_info devices[8];
	struct ioasid_info infos[8];
	struct ioasid_map maps[8];
	unsigned int count, total, wrong = 0;

	(void)thread;
	count = ioasid_list(ctx, 0, infos, 8, &total);
	wrong += count < 1 || count != total || infos[0].ioasid != ioas;
	count = ioasid_list_devices(ctx, "", devices, 8, &total);
	wrong += count != total;
	for (unsigned int i = 0; i < count; i++)
		wrong += devices[i].ioasid != 0 && devices[i].ioasid != ioas;
	count = ioasid_list_groups(ctx, 0, groups, 8, NULL);
	for (unsigned int i = 0; i < count; i++) {
		wrong += groups[i] == NULL || groups[i]->nmembers == 0;
		ioasid_group_info_free(groups[i]);
	}
	count = ioasid_list_maps(ctx, ioas, own_iova(0, round), maps, 8);
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
	if (ioasid_join(ctx, fake_sysfs(), bdfs[thread], &dev) != 0)
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

/*
 * Who is in use and who is held, while events come and somebody wants devices back. The
 * user names both members of the group, and watches that what is held is let go once.
 */

static int held_now; /* under the group's lock */
static unsigned int wrong_reports;

static bool
name_both(const struct ioasid_member *m, void *arg)
{
	(void)arg;
	return strcmp(m->bdf, GROUP_NIC) == 0 || strcmp(m->bdf, GROUP_HD) == 0;
}

static void
on_held(struct ioasid_device *dev, void *arg)
{
	(void)arg;
	wrong_reports += ioasid_device_group(dev) != THE_GROUP || ++held_now > 2;
}

static void
on_let_go(struct ioasid_device *dev, void *arg)
{
	(void)arg;
	wrong_reports += ioasid_device_group(dev) != THE_GROUP || --held_now < 0;
}

static void
on_report(const struct ioasid_report *report, void *arg)
{
	(void)arg;
	/* All are there all the time, and on VFIO. */
	wrong_reports +=
		report->news == IOASID_NEWS_UNKNOWN || report->news == IOASID_NEWS_NOT_JOINED;
}

static int
setup_policy(void **state)
{
	const struct ioasid_policy policy = {
		.named = name_both, .held = on_held, .let_go = on_let_go, .report = on_report
	};

	held_now = 0;
	wrong_reports = 0;
	setup_machine(state);
	return ioasid_open(NULL, &policy, &ctx) == 0 ? ioasid_alloc(ctx, &ioas) : -1;
}

/* One of the group is in use for a while; the other joins for its sake. */
static unsigned int
use_member(unsigned int thread, unsigned int round)
{
	struct ioasid_device *dev;
	unsigned int wrong;

	(void)round;
	if (ioasid_join(ctx, fake_sysfs(), thread == 0 ? GROUP_NIC : GROUP_HD, &dev) != 0)
		return 1;
	/* Yielded just after it joined, the other is missing: refused, never exposed. */
	wrong = ioasid_attach(dev, ioas) == 0 ? ioasid_device_ioasid(dev) != ioas
					      : strstr(ioasid_error(), "have not joined") == NULL;
	ioasid_leave(dev);
	return wrong;
}

static unsigned int
open_and_close_group(unsigned int thread, unsigned int round)
{
	struct ioasid_group *group;
	unsigned int wrong;

	(void)thread;
	(void)round;
	if (ioasid_group_open(ctx, fake_sysfs(), THE_GROUP, &group) != 0)
		return strstr(ioasid_error(), "could join") == NULL;
	wrong = ioasid_group_get_number(group) != THE_GROUP;
	ioasid_group_in_use(group);
	ioasid_group_close(group);
	return wrong;
}

static unsigned int
tell_and_yield(unsigned int thread, unsigned int round)
{
	(void)thread;
	ioasid_yield(ctx, round % 2 == 0 ? GROUP_NIC : GROUP_HD);
	ioasid_device_event(ctx, fake_sysfs(), round % 3 == 0 ? NULL : GROUP_HD);
	return list_all(thread, round);
}

static void
threads_use_one_group(void **state)
{
	const work_fn fns[] = { use_member, use_member, tell_and_yield, open_and_close_group };

	(void)state;
	run_all(fns, THREADS);
	CHECK_EQ(wrong_reports, 0);
	CHECK_EQ(held_now, 0);
	CHECK_EQ(fake_open_files(), 1);
	CHECK_EQ(fake_pinned(), 0);
}

/*
 * JOIN and ATTACH wait for hardware: meanwhile maps, lists and other groups go on, and only
 * a call about the same group waits.
 */

static int held_ret;

static void *
attach_held(void *arg)
{
	held_ret = ioasid_attach(arg, ioas);
	return NULL;
}

static void
nobody_waits_for_another_group(void **state)
{
	const unsigned long calls[] = { KABI_ATTACH, FAKE_LIST, FAKE_READ_FILE };
	struct ioasid_device_info info;

	(void)state;
	devs[0] = join(NIC0);
	devs[1] = join(NIC1);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		pthread_t thread;

		fake_hold(calls[i]);
		assert_int_equal(pthread_create(&thread, NULL, attach_held, devs[0]), 0);
		fake_wait_held();
		/* It is held where it is needed. */
		CHECK_ERR(ioasid_free(ctx, ioas), EBUSY);
		map(0, PAGE);
		CHECK_OK(ioasid_unmap(ctx, ioas, 0, PAGE));
		attach(devs[1], ioas);
		CHECK_OK(ioasid_detach(devs[1]));
		CHECK_EQ(list_all(0, 0), 0);
		CHECK_OK(ioasid_find_device(ctx, NIC0, &info));
		CHECK_EQ(info.ioasid, 0);
		/* Events do not wait either, even about the very group. */
		ioasid_device_event(ctx, fake_sysfs(), NIC0);
		ioasid_device_event(ctx, fake_sysfs(), NULL);
		ioasid_yield(ctx, NIC0);
		fake_let_go();
		pthread_join(thread, NULL);
		CHECK_OK(held_ret);
		CHECK_EQ(fake_attached(NIC0), ioas);
		CHECK_OK(ioasid_detach(devs[0]));
	}
}

#define TEST_POLICY(f) cmocka_unit_test_setup_teardown(f, setup_policy, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_map_in_one_ioasid),    TEST(threads_map_the_same_page),
		TEST(threads_allocate_ioasids),     TEST(threads_join_and_leave),
		TEST(threads_look_at_what_changes), TEST(threads_look_at_a_device_that_moves),
		TEST_POLICY(threads_use_one_group), TEST(nobody_waits_for_another_group),
	};

	return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
