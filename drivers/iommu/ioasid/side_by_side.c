/* SPDX-License-Identifier: BSD-3-Clause */

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <rte_common.h>

#include "side_by_side.h"

#define THREAD_NAME "ioasid"
/* Devices are reset by a thread each: they hardly compute. */
#define MOST_THREADS 32u
/* More have not been measured; the kernel's own locks are the limit sooner or later. */
#define MOST_PROCESSORS 8u
/* Whoever calls mlockall() has every thread's stack in memory, as a whole. */
#define STACK_SIZE (512u << 10)

struct work {
	void (*fn)(unsigned int i, void *arg);
	void *arg;
	unsigned int n;
	unsigned int next;
};

static bool is_allowed;
static cpu_set_t processors;
static bool processors_known;

void
side_by_side_note_processors(void)
{
	/* It fails where there are more than a set has room for: then threads are as their maker.
	 */
	processors_known = sched_getaffinity(0, sizeof(processors), &processors) == 0;
}

void
side_by_side_allow(bool allowed)
{
	is_allowed = allowed;
}

bool
side_by_side_is_allowed(void)
{
	return is_allowed;
}

unsigned int
side_by_side_processors(void)
{
	if (!is_allowed || !processors_known)
		return 1;
	return RTE_MIN((unsigned int)CPU_COUNT(&processors), MOST_PROCESSORS);
}

static void
do_all(struct work *work)
{
	unsigned int i;

	while ((i = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED)) < work->n)
		work->fn(i, work->arg);
}

static void *
run(void *arg)
{
	pthread_setname_np(pthread_self(), THREAD_NAME);
	do_all(arg);
	return NULL;
}

/* How many could be made. */
static unsigned int
make_threads(pthread_t *threads, unsigned int n, struct work *work)
{
	unsigned int made = 0;
	pthread_attr_t attr;
	sigset_t all, before;

	if (pthread_attr_init(&attr) != 0)
		return 0;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (processors_known)
		pthread_attr_setaffinity_np(&attr, sizeof(processors), &processors);
	/* What is sent to the process is for the application's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (made < n && pthread_create(&threads[made], &attr, run, work) == 0)
		made++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return made;
}

void
side_by_side(void (*fn)(unsigned int i, void *arg), unsigned int n, void *arg, unsigned int threads)
{
	struct work work = { .fn = fn, .arg = arg, .n = n };
	pthread_t others[MOST_THREADS];
	unsigned int made = 0;
	int cancelable;

	threads = RTE_MIN(threads, MOST_THREADS);
	threads = RTE_MIN(threads, n);
	/* The threads work on what is on the caller's stack. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelable);
	if (is_allowed && threads > 1)
		made = make_threads(others, threads - 1, &work);
	do_all(&work);
	while (made > 0)
		pthread_join(others[--made], NULL);
	pthread_setcancelstate(cancelable, NULL);
}
