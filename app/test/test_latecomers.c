/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Devices without an IOMMU group are looked at until they have one, soon and then seldom; the
 * clock and the groups are the test's own.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ioasid.h>
#include <rte_alarm.h>

#include "captured_log.h"
#include "latecomers.h"

#define DEVICES  "/sys/bus/pci/devices"
#define FIRST    "0000:05:00.0"
#define SECOND   "0000:06:00.0"
#define A_SECOND UINT64_C(1000000) /* in microseconds */

static struct {
	uint64_t now; /* seconds */
	uint64_t due;
	rte_eal_alarm_callback callback; /* NULL: none is set */
	bool no_timer;
	int first, second;  /* what ioasid_group_number() says of them */
	unsigned int looks; /* how often it was asked */
	char told[64];      /* of whom, one after another */
} fake;

int
rte_eal_alarm_set(uint64_t us, rte_eal_alarm_callback callback, void *arg)
{
	assert_true(arg == NULL);
	assert_true(fake.callback == NULL);
	if (fake.no_timer)
		return -ENOMEM;
	fake.due = fake.now + us / A_SECOND;
	fake.callback = callback;
	return 0;
}

int
rte_eal_alarm_cancel(rte_eal_alarm_callback callback, void *arg)
{
	assert_true(arg == NULL);
	assert_true(fake.callback == NULL || fake.callback == callback);
	fake.callback = NULL;
	return 0;
}

int
ioasid_group_number(const char *devices, const char *bdf, unsigned int *number)
{
	assert_string_equal(devices, DEVICES);
	*number = 7;
	fake.looks++;
	return strcmp(bdf, FIRST) == 0 ? fake.first : fake.second;
}

static void
told(const char *devices, const char *bdf)
{
	assert_string_equal(devices, DEVICES);
	strncat(fake.told, bdf, sizeof(fake.told) - strlen(fake.told) - 1);
}

static void
event(const char *bdf)
{
	latecomers_look(DEVICES, bdf, told);
}

static void
pass(unsigned int seconds)
{
	for (; seconds > 0; seconds--) {
		rte_eal_alarm_callback callback = fake.callback;

		fake.now++;
		if (callback == NULL || fake.due > fake.now)
			continue;
		fake.callback = NULL;
		callback(NULL);
	}
}

static void
who_has_a_group_is_not_looked_at(void **state)
{
	(void)state;
	fake.first = 0;
	event(FIRST);
	fake.first = -ENODEV;
	event(FIRST);
	assert_true(fake.callback == NULL);
	assert_string_equal(fake.told, "");
}

static void
is_told_of_however_late(void **state)
{
	(void)state;
	event(FIRST);
	pass(1);
	assert_string_equal(fake.told, "");
	fake.first = 0;
	pass(2);
	assert_string_equal(fake.told, FIRST);
	assert_true(fake.callback == NULL);

	fake.told[0] = '\0';
	fake.first = -ENOENT;
	event(FIRST);
	pass(10000);
	assert_string_equal(fake.told, "");
	fake.first = 0;
	pass(32);
	assert_string_equal(fake.told, FIRST);
	assert_true(fake.callback == NULL);
}

/* An hour of waiting is two looks a minute. */
static void
looks_become_seldom(void **state)
{
	(void)state;
	event(FIRST);
	pass(63);
	assert_int_equal(fake.looks, 1 + 6);
	pass(3600);
	assert_int_equal(fake.looks, 7 + 112);
}

static void
one_that_goes_is_forgotten(void **state)
{
	(void)state;
	event(FIRST);
	fake.first = -ENODEV;
	pass(1);
	assert_string_equal(fake.told, FIRST);
	assert_true(fake.callback == NULL);
}

/* Each has its event; the first one's look is not put off, and a later event hastens the next. */
static void
events_without_end_put_nothing_off(void **state)
{
	(void)state;
	event(FIRST);
	for (unsigned int i = 0; i < 5; i++)
		event(SECOND);
	assert_int_equal(fake.due, fake.now + 1);
	pass(40);
	assert_true(fake.due > fake.now + 1);
	event(SECOND);
	assert_int_equal(fake.due, fake.now + 1);
	event(FIRST);
	fake.first = fake.second = 0;
	pass(1);
	assert_true(strstr(fake.told, FIRST) != NULL);
	assert_true(strstr(fake.told, SECOND) != NULL);
	assert_int_equal(strlen(fake.told), strlen(FIRST SECOND));
	assert_true(fake.callback == NULL);
}

static void
without_a_timer_it_is_said(void **state)
{
	(void)state;
	fake.no_timer = true;
	event(FIRST);
	assert_true(strstr(logged(), FIRST ": whether it comes to an IOMMU group in use") != NULL);
	fake.no_timer = false;
	event(FIRST);
	fake.no_timer = true;
	pass(1);
	assert_true(strstr(logged(), "no timer: whether devices that have no IOMMU group yet") !=
		    NULL);
	/* The next event makes up for it. */
	fake.no_timer = false;
	event(SECOND);
	fake.first = 0;
	pass(1);
	assert_string_equal(fake.told, FIRST);
}

static void
nothing_is_looked_at_after_the_end(void **state)
{
	(void)state;
	event(FIRST);
	latecomers_end();
	assert_true(fake.callback == NULL);
}

static int
set_up(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.first = fake.second = -ENOENT;
	return log_capture();
}

static int
tear_down(void **state)
{
	(void)state;
	latecomers_end();
	log_release();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_has_a_group_is_not_looked_at),
		TEST(is_told_of_however_late),
		TEST(looks_become_seldom),
		TEST(one_that_goes_is_forgotten),
		TEST(events_without_end_put_nothing_off),
		TEST(without_a_timer_it_is_said),
		TEST(nothing_is_looked_at_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
