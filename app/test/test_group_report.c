/* SPDX-License-Identifier: BSD-3-Clause */

/* The plugin's reports on a group in use, whose members come and go. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "captured_log.h"
#include "explicit_set.h"
#include "group_report.h"
#include "options.h"

#define NIC  "0000:04:01.0"
#define DISK "0000:04:02.0"
#define MORE "0000:04:03.0"

struct options options;

bool
explicit_set_names(const char *bdf)
{
	(void)bdf;
	return false;
}

static struct ioasid_member members[3];
static struct ioasid_group group = { .number = 13, .members = members };

/* What has joined; the others are at risk. */
static bool
at_risk(const struct ioasid_member *m)
{
	return strcmp(m->bdf, NIC) != 0;
}

static int
setup(void **state)
{
	(void)state;
	memset(&options, 0, sizeof(options));
	strcpy(members[0].bdf, NIC);
	strcpy(members[1].bdf, DISK);
	strcpy(members[2].bdf, MORE);
	group_report_forget(group.number);
	return log_capture();
}

static int
teardown(void **state)
{
	(void)state;
	group_report_forget(group.number);
	log_release();
	return 0;
}

/* What a check logs of the group when it has that many members; for free(). */
static char *
check(unsigned int nmembers)
{
	const size_t begin = strlen(logged());

	group.nmembers = nmembers;
	group_report_risk(&group, NIC, at_risk);
	return strdup(logged() + begin);
}

static void
check_says(unsigned int nmembers, const char *text)
{
	char *said = check(nmembers);

	assert_non_null(said);
	if (text == NULL)
		assert_string_equal(said, "");
	else
		assert_non_null(strstr(said, text));
	free(said);
}

static void
once_as_long_as_the_list_is_the_same(void **state)
{
	(void)state;
	check_says(1, NULL);
	check_says(2, "at risk: [" DISK "]");
	check_says(2, NULL);
	check_says(3, "at risk: [" DISK ", " MORE "]");
	check_says(3, NULL);
	check_says(2, "at risk: [" DISK "]");
}

static void
who_went_and_comes_again_is_news(void **state)
{
	(void)state;
	check_says(2, "at risk: [" DISK "]");
	check_says(1, NULL);
	check_says(2, "at risk: [" DISK "]");
}

static void
next_use_of_the_group_is_told_again(void **state)
{
	(void)state;
	check_says(2, "at risk: [" DISK "]");
	group_report_forget(group.number + 1);
	check_says(2, NULL);
	group_report_forget(group.number);
	check_says(2, "at risk: [" DISK "]");
}

static void
says_whose_doing_it_is(void **state)
{
	(void)state;
	check_says(2, "they came to IOMMU group 13, or left, while " NIC " was in use");
	options.allow_insecure = true;
	check_says(3, "--allow-insecure-vfio");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(once_as_long_as_the_list_is_the_same),
		TEST(who_went_and_comes_again_is_news),
		TEST(next_use_of_the_group_is_told_again),
		TEST(says_whose_doing_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
