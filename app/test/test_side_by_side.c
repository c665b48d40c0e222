/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the plugin's threads do, on the fake kernel: who is side by side is proven by holding
 * one of them in the kernel until another has got as far. Where that went wrong, this would
 * hang, until meson ends it. That there is no race shows in a build with -Db_sanitize=thread.
 */

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "ahead.h"
#include "crowd.h"
#include "driver.h"
#include "ending.h"
#include "side_by_side.h"
#include "user_map.h"

#define GIB (UINT64_C(1) << 30)

/* ---- threads that cannot be made, and processors that there are not; by ld's --wrap */

static unsigned int creations, create_fails_at;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);

/* From the nth on; the test's own come before. */
int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	if (create_fails_at != 0 && ++creations >= create_fails_at)
		return EAGAIN;
	return __real_pthread_create(thread, attr, fn, arg);
}

/* At least four, so that threads are worth it; those that are there are among them. */
int
__wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	int ret = __real_sched_getaffinity(pid, size, set);

	for (int i = 0; ret == 0 && CPU_COUNT(set) < 4; i++)
		CPU_SET(i, set);
	return ret;
}

static int
setup(void **state)
{
	creations = create_fails_at = 0;
	side_by_side_note_processors();
	return driver_setup(state);
}

static int
teardown_all(void **state)
{
	create_fails_at = 0;
	ahead_end();
	return driver_teardown(state);
}

/* ---- a thread of the test's, which the kernel holds */

static int held_ret;

static void *
set_up_first(void *arg)
{
	(void)arg;
	held_ret = set_up(NIC0);
	return NULL;
}

static void *
end_all(void *arg)
{
	(void)arg;
	ending_begin();
	ending_finish();
	return NULL;
}

/* Until others have made so many calls; for as long as it takes. */
static void
wait_for_calls(unsigned long request, unsigned int n)
{
	while (fake_count(request) < n)
		sched_yield();
}

/* ---- the threads themselves */

static sigset_t blocked[8];
static char names[8][16];
static pthread_t ids[8];
static pthread_barrier_t barrier;
static pthread_t handled_by;

/* All are there at a time, each in a thread of its own. */
static void
look_around(unsigned int i, void *arg)
{
	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked[i]);
	pthread_getname_np(pthread_self(), names[i], sizeof(names[i]));
	ids[i] = pthread_self();
	pthread_barrier_wait(&barrier);
}

static void
each_has_a_thread(void **state)
{
	unsigned int own = 0;
	sigset_t before, after;

	(void)state;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	pthread_barrier_init(&barrier, NULL, 8);
	side_by_side_allow(true);
	side_by_side(look_around, 8, NULL, 8);
	side_by_side_allow(false);
	pthread_barrier_destroy(&barrier);
	for (unsigned int i = 0; i < 8; i++) {
		if (pthread_equal(ids[i], pthread_self())) {
			own++;
			continue;
		}
		CHECK_STR(names[i], "ioasid");
		CHECK(sigismember(&blocked[i], SIGINT) && sigismember(&blocked[i], SIGTERM) &&
		      sigismember(&blocked[i], SIGALRM) && sigismember(&blocked[i], SIGUSR1));
	}
	CHECK_EQ(own, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	CHECK_EQ(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
}

static void
note_caller(unsigned int i, void *arg)
{
	(void)arg;
	ids[i] = pthread_self();
}

static void
check_caller_alone(void)
{
	side_by_side(note_caller, 8, NULL, 8);
	for (unsigned int i = 0; i < 8; i++)
		CHECK(pthread_equal(ids[i], pthread_self()));
}

/* Not while packets may flow; and where none can be made. */
static void
without_threads_the_caller_does_it(void **state)
{
	(void)state;
	CHECK_EQ(side_by_side_processors(), 1);
	check_caller_alone();
	side_by_side_allow(true);
	CHECK(side_by_side_processors() >= 4);
	create_fails_at = 1;
	check_caller_alone();
	side_by_side_allow(false);
}

static void
on_signal(int signo)
{
	(void)signo;
	handled_by = pthread_self();
}

/* The others wait until the signal has been handled. */
static void
send_signal(unsigned int i, void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	if (i == 0)
		kill(getpid(), SIGUSR1);
	pthread_barrier_wait(&barrier);
}

static void
signals_are_the_callers(void **state)
{
	struct sigaction action = { .sa_handler = on_signal }, before;

	(void)state;
	sigaction(SIGUSR1, &action, &before);
	pthread_barrier_init(&barrier, NULL, 4);
	side_by_side_allow(true);
	side_by_side(send_signal, 4, NULL, 4);
	side_by_side_allow(false);
	pthread_barrier_destroy(&barrier);
	sigaction(SIGUSR1, &before, NULL);
	CHECK(pthread_equal(handled_by, pthread_self()));
}

/* Whoever forks meanwhile has a child that can end. */
static void
fork_in_between(unsigned int i, void *arg)
{
	int *status = arg;
	pid_t pid;

	pthread_barrier_wait(&barrier);
	if (i == 0) {
		pid = fork();
		if (pid == 0)
			_exit(7);
		waitpid(pid, status, 0);
	}
	pthread_barrier_wait(&barrier);
}

static void
a_fork_in_between_is_no_harm(void **state)
{
	int status = 0;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 4);
	side_by_side_allow(true);
	side_by_side(fork_in_between, 4, &status, 4);
	side_by_side_allow(false);
	pthread_barrier_destroy(&barrier);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static unsigned int finished;

static void
finish_after_cancel(unsigned int i, void *arg)
{
	(void)i;
	(void)arg;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	pthread_testcancel();
	__atomic_add_fetch(&finished, 1, __ATOMIC_RELAXED);
}

static void *
share_and_be_cancelled(void *arg)
{
	side_by_side(finish_after_cancel, 4, NULL, 4);
	pthread_testcancel();
	return arg;
}

/* The threads work on what is the caller's: he ends after them. */
static void
a_cancelled_caller_waits_for_his_threads(void **state)
{
	pthread_t thread;
	void *ret;

	(void)state;
	finished = 0;
	side_by_side_allow(true);
	pthread_barrier_init(&barrier, NULL, 5);
	CHECK_EQ(pthread_create(&thread, NULL, share_and_be_cancelled, NULL), 0);
	pthread_barrier_wait(&barrier);
	pthread_cancel(thread);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, &ret);
	pthread_barrier_destroy(&barrier);
	side_by_side_allow(false);
	CHECK(ret == PTHREAD_CANCELED);
	CHECK_EQ(finished, 4);
}

/* ---- crowds */

static const char *order[4];
static unsigned int norder;
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;

static void
note_order(const char *bdf, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&order_lock);
	order[norder++] = bdf;
	pthread_mutex_unlock(&order_lock);
}

static void
virtual_functions_do_not_share_a_moment_with_their_physical_one(void **state)
{
	struct crowd crowd = { 0 };

	(void)state;
	fake_set_physical(NIC1);
	fake_set_virtual(NIC0, NIC1);
	side_by_side_allow(true);
	CHECK_RET(crowd_add(&crowd, NIC0), 0);
	CHECK_RET(crowd_add(&crowd, NIC1), 0);
	norder = 0;
	crowd_do(&crowd, fake_sysfs(), CROWD_PHYSICAL_FIRST, note_order, NULL);
	CHECK_STR(order[0], NIC1);
	crowd_do(&crowd, fake_sysfs(), CROWD_VIRTUAL_FIRST, note_order, NULL);
	CHECK_STR(order[2], NIC0);
	CHECK_EQ(norder, 4);
	crowd_clear(&crowd);
	side_by_side_allow(false);
}

/* ---- JOIN */

static void
name_all(void)
{
	fake_eal_name(NIC0);
	fake_eal_name(NIC1);
	fake_eal_name(GROUP_NIC);
	fake_eal_name(GROUP_HD);
}

static void
start_with_all_named(void)
{
	name_all();
	ahead_begin();
}

/* Each is in the kernel while another is held there. */
static void
all_named_join_side_by_side(void **state)
{
	(void)state;
	start_with_all_named();
	begin_held_thread(KABI_BIND, set_up_first);
	wait_for_calls(KABI_BIND, 2);
	end_held_thread();
	CHECK_RET(held_ret, 0);
	CHECK_EQ(fake_count(KABI_BIND), 4);
	CHECK(fake_is_bound(NIC1) && fake_is_bound(GROUP_NIC) && fake_is_bound(GROUP_HD));
	/* They are held, and nothing is attached before its turn. */
	CHECK(!device_in_use(NIC1));
	CHECK_EQ(fake_eal_watched(), 3);
	CHECK_EQ(fake_attached(NIC0), space_default());
	CHECK_EQ(fake_attached(NIC1), 0);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	CHECK_EQ(fake_attached(GROUP_HD), 0);
	CHECK_RET(set_up(NIC1), 0);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK_EQ(fake_attached(GROUP_HD), space_default());
	CHECK_RET(set_up(GROUP_HD), 0);
	CHECK_EQ(fake_count(KABI_BIND), 4);
	ahead_end();
	CHECK(fake_is_bound(NIC1) && fake_is_bound(GROUP_HD));
}

/* Which number the kernel gives to a device is a matter of who joins first. */
static void
blank_ids(char *text)
{
	for (text = strstr(text, "device id "); text != NULL; text = strstr(text + 1, "device id "))
		text[strlen("device id ")] = '?';
}

static char *
log_of_all(bool ahead)
{
	char *text;

	name_all();
	if (ahead)
		ahead_begin();
	said();
	set_up(NIC0);
	set_up(GROUP_NIC);
	set_up(NIC1);
	set_up(GROUP_HD);
	text = strdup(said());
	blank_ids(text);
	ahead_end();
	restart();
	return text;
}

/* Word for word, also where one cannot join. */
static void
log_is_as_one_after_another(void **state)
{
	char *plain, *ahead;

	(void)state;
	for (int legacy = 0; legacy < 2; legacy++) {
		fake_set_legacy_open(NIC1_GROUP, legacy);
		plain = log_of_all(false);
		ahead = log_of_all(true);
		CHECK(strstr(plain, GROUP_HD " joined") != NULL);
		CHECK_EQ(strstr(plain, NIC1 ": JOIN failed") != NULL, legacy);
		CHECK_STR(ahead, plain);
		free(plain);
		free(ahead);
	}
}

static void
who_cannot_join_fails_in_his_turn(void **state)
{
	(void)state;
	start_with_all_named();
	fake_set_legacy_open(NIC1_GROUP, true);
	CHECK_RET(set_up(NIC0), 0);
	CHECK(strstr(said(), NIC1) == NULL);
	CHECK_RET(set_up(NIC1), -EBUSY);
	CHECK(says(NIC1 ": JOIN failed"));
	CHECK_RET(set_up(GROUP_NIC), 0);
}

/* Whatever went wrong is over by then. */
static void
failure_ahead_is_tried_again(void **state)
{
	static const unsigned long kinds[] = { FAKE_OPEN, KABI_BIND, FAKE_LIST, FAKE_READ_LINK };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		start_with_all_named();
		fake_fail(kinds[i], 1, EMFILE);
		fake_fail(kinds[i], 2, EMFILE);
		CHECK_RET(set_up(NIC0), 0);
		CHECK_RET(set_up(NIC1), 0);
		CHECK_RET(set_up(GROUP_NIC), 0);
		CHECK_RET(set_up(GROUP_HD), 0);
		CHECK_EQ(fake_fail_clear(), 2);
		ahead_end();
		restart();
	}
}

static void
who_is_not_on_vfio_is_passed_over(void **state)
{
	(void)state;
	fake_set_driver(NIC1, "igb");
	name_all();
	fake_eal_name("0000:77:00.0");
	ahead_begin();
	CHECK_RET(set_up(NIC0), 0);
	CHECK(strstr(said(), NIC1) == NULL);
	CHECK_EQ(fake_count(KABI_BIND), 3);
}

static void
who_was_not_wanted_leaves(void **state)
{
	(void)state;
	start_with_all_named();
	CHECK_RET(set_up(NIC0), 0);
	CHECK(fake_is_bound(GROUP_HD));
	ahead_end();
	CHECK(fake_is_bound(NIC0));
	CHECK(!fake_is_bound(NIC1));
	CHECK(!fake_is_bound(GROUP_NIC) && !fake_is_bound(GROUP_HD));
	CHECK_EQ(fake_eal_watched(), 0);
	/* At run time nobody joins ahead. */
	CHECK_RET(device_release(NIC0), 0);
	CHECK_RET(set_up(NIC0), 0);
	CHECK(!fake_is_bound(NIC1));
}

/* One of a group in use stays joined, for the group's sake. */
static void
who_is_of_a_group_in_use_stays(void **state)
{
	(void)state;
	start_with_all_named();
	CHECK_RET(set_up(GROUP_NIC), 0);
	ahead_end();
	CHECK(fake_is_bound(GROUP_HD));
	CHECK_EQ(fake_attached(GROUP_HD), space_default());
	CHECK(!fake_is_bound(NIC1));
}

/* An application may have bound the group meanwhile. */
static void
who_is_of_a_bound_group_stays(void **state)
{
	int container;

	(void)state;
	start_with_all_named();
	CHECK_RET(set_up(NIC0), 0);
	container = container_create();
	CHECK(container_group_bind(container, NIC1_GROUP) >= 0);
	ahead_end();
	CHECK(fake_is_bound(NIC1));
	CHECK_RET(container_destroy(container), 0);
	CHECK(!fake_is_bound(NIC1));
}

static void
a_refused_group_leaves_as_a_whole(void **state)
{
	(void)state;
	fake_eal_name(NIC0);
	fake_eal_name(GROUP_NIC);
	ahead_begin();
	CHECK_RET(set_up(NIC0), 0);
	CHECK(fake_is_bound(GROUP_NIC));
	CHECK_RET(set_up(GROUP_NIC), -EPERM);
	CHECK(says(GROUP_NIC " refused: its IOMMU group 13 holds other devices"));
	CHECK(!fake_is_bound(GROUP_NIC));
}

/* Between its JOIN and its turn the kernel wants it back, and takes it away. */
static void
who_is_unplugged_in_between_leaves(void **state)
{
	(void)state;
	start_with_all_named();
	CHECK_RET(set_up(NIC0), 0);
	CHECK(fake_request(NIC1));
	fake_eal_interrupts();
	CHECK(!fake_is_bound(NIC1));
	fake_unplug(NIC1);
	event(NIC1);
	said();
	CHECK_RET(set_up(NIC1), -ENODEV);
	CHECK(says(NIC1));
	CHECK_RET(set_up(GROUP_NIC), 0);
}

static void
unplug_second(void)
{
	fake_unplug(NIC1);
}

/* While they join. */
static void
who_is_unplugged_meanwhile_is_not_there(void **state)
{
	static const unsigned long kinds[] = { FAKE_OPEN, KABI_BIND, FAKE_LIST, FAKE_READ_FILE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		start_with_all_named();
		fake_at(kinds[i], unplug_second);
		CHECK_RET(set_up(NIC0), 0);
		CHECK_RET(set_up(GROUP_NIC), 0);
		/* It joined before that, or not; in both cases it is no device to be had. */
		ahead_end();
		restart();
		fake_plug(&pci_nic1);
	}
}

static void
without_threads_all_join_all_the_same(void **state)
{
	(void)state;
	for (unsigned int nth = 1; nth <= 3; nth++) {
		start_with_all_named();
		creations = 0;
		create_fails_at = nth;
		CHECK_RET(set_up(NIC0), 0);
		CHECK(fake_is_bound(NIC1) && fake_is_bound(GROUP_NIC) && fake_is_bound(GROUP_HD));
		CHECK_RET(set_up(NIC1), 0);
		CHECK_RET(set_up(GROUP_NIC), 0);
		ahead_end();
		restart();
		CHECK(!fake_is_bound(NIC1) && !fake_is_bound(GROUP_HD));
	}
}

/* ---- memory */

static void
big_memory(void)
{
	/* One area of 256 MiB, and four pages that may be freed. */
	fake_eal_set_page_size(32 << 20);
	ahead_begin();
}

static void
memory_is_mapped_side_by_side(void **state)
{
	(void)state;
	big_memory();
	begin_held_thread(KABI_MAP, set_up_first);
	wait_for_calls(KABI_MAP, 4);
	end_held_thread();
	CHECK_RET(held_ret, 0);
	CHECK_EQ(fake_pinned(), 12 * UINT64_C(32) << 20);
	CHECK(says("384 MiB of DPDK's memory mapped by 5 call(s)"));
}

static unsigned int
count_of(const char *text, const char *word)
{
	unsigned int n = 0;

	for (text = strstr(text, word); text != NULL; text = strstr(text + 1, word))
		n++;
	return n;
}

/* All fail, one is told. */
static void
first_failure_ends_it(void **state)
{
	(void)state;
	for (unsigned int nth = 1; nth <= 5; nth++) {
		const char *text;

		big_memory();
		fake_fail(KABI_MAP, nth, ENOMEM);
		if (nth < 5)
			fake_fail(KABI_MAP, nth + 1, ENOMEM);
		said();
		CHECK_RET(set_up(NIC0), -ENOMEM);
		text = said();
		CHECK_EQ(count_of(text, ": map failed"), 1);
		CHECK_EQ(count_of(text, "could not be mapped"), 1);
		CHECK_EQ(fake_pinned(), 0);
		CHECK(!fake_is_bound(NIC0));
		fake_fail_clear();
		CHECK_RET(set_up(NIC0), 0);
		CHECK_EQ(fake_pinned(), 12 * UINT64_C(32) << 20);
		ahead_end();
		restart();
	}
}

/* Two that fail at a time: one is told, and neither maps any more. */
static void
second_failure_is_not_told(void **state)
{
	const char *text;

	(void)state;
	big_memory();
	fake_fail(KABI_MAP, 1, ENOMEM);
	fake_fail(KABI_MAP, 2, ENOSPC);
	create_fails_at = 3; /* the test's own, and one more */
	said();
	begin_held_thread(KABI_MAP, set_up_first);
	wait_for_calls(KABI_MAP, 1);
	end_held_thread();
	CHECK(held_ret == -ENOMEM || held_ret == -ENOSPC);
	text = said();
	CHECK_EQ(count_of(text, ": map failed"), 1);
	CHECK_EQ(fake_count(KABI_MAP), 2);
	CHECK_EQ(fake_pinned(), 0);
}

static void
free_page_8(void)
{
	fake_eal_free(8);
}

/* By the only thread, while it maps the area before. */
static void
memory_freed_before_its_turn_is_not_mapped(void **state)
{
	(void)state;
	big_memory();
	create_fails_at = 1;
	fake_at(KABI_MAP, free_page_8);
	CHECK_RET(set_up(NIC0), 0);
	CHECK_EQ(fake_pinned(), 11 * UINT64_C(32) << 20);
	CHECK_EQ(fake_count(KABI_MAP), 4);
}

static void *
free_memory(void *arg)
{
	free_page_8();
	return arg;
}

/* Mapped already, or in the kernel, by whichever thread: it is unmapped again. */
static void
memory_freed_meanwhile_is_not_mapped(void **state)
{
	pthread_t other;

	(void)state;
	big_memory();
	begin_held_thread(KABI_MAP, set_up_first);
	wait_for_calls(KABI_MAP, 4);
	CHECK_EQ(pthread_create(&other, NULL, free_memory, NULL), 0);
	end_held_thread();
	pthread_join(other, NULL);
	CHECK_RET(held_ret, 0);
	CHECK_EQ(fake_pinned(), 11 * UINT64_C(32) << 20);
}

/* ---- the end */

static void
set_up_all(void)
{
	start_with_all_named();
	CHECK_RET(set_up(NIC0), 0);
	CHECK_RET(set_up(NIC1), 0);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK_RET(set_up(GROUP_HD), 0);
	ahead_end();
}

/* EAL releases one after the other: nothing waits for that. */
static void
released_at_the_end_stops_and_is_not_reset(void **state)
{
	(void)state;
	set_up_all();
	fake_set_bus_master(GROUP_HD, true);
	ending_begin();
	CHECK_RET(device_release(GROUP_HD), 0);
	CHECK_RET(device_release(GROUP_HD), -ENODEV);
	CHECK(!fake_is_bus_master(GROUP_HD));
	CHECK(!device_in_use(GROUP_HD));
	CHECK(fake_is_bound(GROUP_HD));
	CHECK_RET(device_release(NIC0), 0);
	CHECK(fake_is_bound(NIC0));
	ending_finish();
	CHECK(!fake_is_bound(NIC0) && !fake_is_bound(NIC1));
	CHECK(!fake_is_bound(GROUP_NIC) && !fake_is_bound(GROUP_HD));
	/* close() does that, once for each. */
	CHECK_EQ(fake_count(VFIO_DEVICE_RESET), 0);
	CHECK_EQ(fake_open_files(), 0);
	CHECK_RET(space_open(), 0);
}

static void
who_does_not_answer_leaves_at_once(void **state)
{
	(void)state;
	set_up_all();
	ending_begin();
	fake_fail(FAKE_PWRITE, 1, EIO);
	CHECK_RET(device_release(NIC0), 0);
	CHECK(!fake_is_bound(NIC0));
	ending_finish();
	CHECK_EQ(fake_open_files(), 0);
	CHECK_RET(space_open(), 0);
}

static void
all_leave_side_by_side(void **state)
{
	(void)state;
	set_up_all();
	begin_held_thread(FAKE_CLOSE, end_all);
	/* The others are closed, also the two of one group. */
	wait_for_calls(FAKE_CLOSE, 3);
	end_held_thread();
	CHECK_EQ(fake_open_files(), 0);
	CHECK_RET(space_open(), 0);
}

static unsigned int exposed_at_close;

static void
look_who_is_exposed(void)
{
	const char *bdfs[4];

	exposed_at_close = fake_exposed(bdfs, 4);
}

/* Nobody of a group that is attached leaves before it is not. */
static void
nobody_is_exposed_at_the_end(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		name_all();
		CHECK_RET(set_up(GROUP_NIC), 0);
		CHECK_RET(set_up(GROUP_HD), 0);
		exposed_at_close = 0;
		fake_at(FAKE_CLOSE, look_who_is_exposed);
		restart();
		CHECK_EQ(exposed_at_close, 0);
	}
}

static void
maps_are_removed_side_by_side(void **state)
{
	uint32_t other;
	int container;

	(void)state;
	name_all();
	CHECK_RET(set_up(NIC0), 0);
	container = container_create();
	CHECK_RET(container_ioasid(container, &other), 0);
	CHECK(container_group_bind(container, NIC1_GROUP) >= 0);
	CHECK_RET(set_up(NIC1), 0);
	for (uint64_t i = 16; i < 20; i++)
		CHECK_RET(user_map(space_default(), VA + i * GIB, i * GIB, GIB), 0);
	CHECK_RET(user_map(other, VA, GIB, GIB), 0);
	begin_held_thread(KABI_UNMAP, end_all);
	wait_for_calls(KABI_UNMAP, 2);
	end_held_thread();
	/* Four, the other container's, and DPDK's, which are contiguous, by one call. */
	CHECK_EQ(fake_count(KABI_UNMAP), 6);
	CHECK_RET(space_open(), 0);
}

static void
what_cannot_be_unmapped_goes_with_its_ioasid(void **state)
{
	(void)state;
	CHECK_RET(set_up(NIC0), 0);
	CHECK_RET(user_map(space_default(), VA, GIB, GIB), 0);
	fake_fail(KABI_UNMAP, 1, ENOMEM);
	fake_fail(KABI_UNMAP, 2, ENOMEM);
	restart();
	CHECK_EQ(fake_pinned(), 0);
}

#define TEST_SIDE(f) cmocka_unit_test_setup_teardown(f, setup, teardown_all)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SIDE(each_has_a_thread),
		TEST_SIDE(without_threads_the_caller_does_it),
		TEST_SIDE(signals_are_the_callers),
		TEST_SIDE(a_fork_in_between_is_no_harm),
		TEST_SIDE(a_cancelled_caller_waits_for_his_threads),
		TEST_SIDE(virtual_functions_do_not_share_a_moment_with_their_physical_one),
		TEST_SIDE(all_named_join_side_by_side),
		TEST_SIDE(log_is_as_one_after_another),
		TEST_SIDE(who_cannot_join_fails_in_his_turn),
		TEST_SIDE(failure_ahead_is_tried_again),
		TEST_SIDE(who_is_not_on_vfio_is_passed_over),
		TEST_SIDE(who_was_not_wanted_leaves),
		TEST_SIDE(who_is_of_a_group_in_use_stays),
		TEST_SIDE(who_is_of_a_bound_group_stays),
		TEST_SIDE(a_refused_group_leaves_as_a_whole),
		TEST_SIDE(who_is_unplugged_in_between_leaves),
		TEST_SIDE(who_is_unplugged_meanwhile_is_not_there),
		TEST_SIDE(without_threads_all_join_all_the_same),
		TEST_SIDE(memory_is_mapped_side_by_side),
		TEST_SIDE(first_failure_ends_it),
		TEST_SIDE(second_failure_is_not_told),
		TEST_SIDE(memory_freed_before_its_turn_is_not_mapped),
		TEST_SIDE(memory_freed_meanwhile_is_not_mapped),
		TEST_SIDE(released_at_the_end_stops_and_is_not_reset),
		TEST_SIDE(who_does_not_answer_leaves_at_once),
		TEST_SIDE(all_leave_side_by_side),
		TEST_SIDE(nobody_is_exposed_at_the_end),
		TEST_SIDE(maps_are_removed_side_by_side),
		TEST_SIDE(what_cannot_be_unmapped_goes_with_its_ioasid),
	};

	return cmocka_run_group_tests_name("side_by_side", tests, NULL, NULL);
}
