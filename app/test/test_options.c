/* SPDX-License-Identifier: BSD-3-Clause */

/* The plugin's options: found among EAL's, hidden from EAL, counted for the caller. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "captured_log.h"
#include "given.h"
#include "options.h"

#define MAX_ARGS 16
/* Exit status of what was to be privileged and is not: a nosuid file system. */
#define NOT_PRIVILEGED 77

static int
setup(void **state)
{
	(void)state;
	memset(&options, 0, sizeof(options));
	return log_capture();
}

static int
teardown(void **state)
{
	(void)state;
	log_release();
	return 0;
}

/* argv from words separated by blanks; `words` must stay. */
static int
split(char *words, char **argv)
{
	int argc = 0;

	for (char *w = strtok(words, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	return argc;
}

static void
join(char *buf, size_t size, int argc, char **argv)
{
	buf[0] = '\0';
	for (int i = 0; i < argc; i++) {
		strncat(buf, i > 0 ? " " : "", size - strlen(buf) - 1);
		strncat(buf, argv[i], size - strlen(buf) - 1);
	}
}

static void
takes_ours_and_leaves_the_rest(void **state)
{
	static const struct {
		const char *argv, *after;
		int taken;
		bool insecure;
		const char *dev;
	} rows[] = {
		{ "app", "app", 0, false, NULL },
		{ "app -l 0-1 -- -i", "app -l 0-1 -- -i", 0, false, NULL },
		{ "app -l 0 --allow-insecure-vfio -m 64 -- -i",
		  "app --allow-insecure-vfio -l 0 -m 64 -- -i", 1, true, NULL },
		{ "app -l 0 --ioasid-dev /dev/x -- --allow-insecure-vfio",
		  "app --ioasid-dev /dev/x -l 0 -- --allow-insecure-vfio", 2, false, "/dev/x" },
		{ "app a --ioasid-dev=/dev/x b --allow-insecure-vfio",
		  "app --ioasid-dev=/dev/x --allow-insecure-vfio a b", 2, true, "/dev/x" },
		{ "app --ioasid-dev /dev/x --ioasid-dev /dev/y",
		  "app --ioasid-dev /dev/x --ioasid-dev /dev/y", 4, false, "/dev/y" },
		/* EAL's own, although it begins like ours */
		{ "app --allow 0000:01:00.0", "app --allow 0000:01:00.0", 0, false, NULL },
	};
	char words[128], after[128], *argv[MAX_ARGS];
	int argc, taken;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&options, 0, sizeof(options));
		strcpy(words, rows[i].argv);
		argc = split(words, argv);
		assert_int_equal(options_take(argc, argv, &taken), 0);
		join(after, sizeof(after), argc, argv);
		assert_string_equal(after, rows[i].after);
		assert_int_equal(taken, rows[i].taken);
		assert_int_equal(options.allow_insecure, rows[i].insecure);
		if (rows[i].dev != NULL)
			assert_string_equal(options.dev, rows[i].dev);
		else
			assert_null(options.dev);
	}
	assert_string_equal(logged(), "");
}

static void
window_is_two_numbers(void **state)
{
	static const struct {
		const char *argv;
		uint64_t start, length;
	} rows[] = {
		{ "app --ioasid-iova-window 0x100000000:0x40000000", 0x100000000, 0x40000000 },
		{ "app --ioasid-iova-window=4G:1024M", 0x100000000, 0x40000000 },
		{ "app --ioasid-iova-window 0:4096k", 0, 4 << 20 },
		{ "app --ioasid-iova-window 65536:65536", 65536, 65536 },
		{ "app --ioasid-iova-window 0xffffffffffff0000:0x10000", 0xffffffffffff0000,
		  0x10000 },
	};
	char words[128], *argv[MAX_ARGS];
	int taken;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(words, rows[i].argv);
		assert_int_equal(options_take(split(words, argv), argv, &taken), 0);
		assert_int_equal(options.window.start, rows[i].start);
		assert_int_equal(options.window.length, rows[i].length);
	}
}

static void
malformed_is_one_clear_error(void **state)
{
	static const struct {
		const char *argv, *error;
	} rows[] = {
		{ "app --ioasid-dve /dev/iommu", "unknown option \"--ioasid-dve\"" },
		{ "app --ioasid-", "unknown option \"--ioasid-\"" },
		{ "app --ioasid-mode cdev", "\"cdev\": give auto, native or container" },
		{ "app --ioasid-dev", "--ioasid-dev needs a value: --ioasid-dev PATH" },
		{ "app --ioasid-dev -- -i", "--ioasid-dev needs a value: --ioasid-dev PATH" },
		{ "app --ioasid-dev iommu", "give the path of a device node" },
		{ "app --ioasid-dev=", "give the path of a device node" },
		{ "app --ioasid-iova-window", "needs a value" },
		{ "app --ioasid-iova-window 4G", "\"4G\": give START:LENGTH" },
		{ "app --ioasid-iova-window 4G:", "give START:LENGTH" },
		{ "app --ioasid-iova-window :1G", "give START:LENGTH" },
		{ "app --ioasid-iova-window 4G:0", "give START:LENGTH" },
		{ "app --ioasid-iova-window 4G:-1", "give START:LENGTH" },
		{ "app --ioasid-iova-window 4T:1G", "give START:LENGTH" },
		{ "app --ioasid-iova-window 4G:1G:1G", "give START:LENGTH" },
		{ "app --ioasid-iova-window 0xffffffffffff0000:1M", "give START:LENGTH" },
		{ "app --ioasid-iova-window 99999999999G:1G", "give START:LENGTH" },
		{ "app --ioasid-iova-window 99999999999999999999:1G", "give START:LENGTH" },
		{ "app --allow-insecure-vfio=yes", "takes no value, but \"yes\" was given" },
	};
	char words[128], *argv[MAX_ARGS];
	int taken;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int argc;

		if (i > 0)
			setup(state);
		strcpy(words, rows[i].argv);
		argc = split(words, argv);
		assert_int_equal(options_take(argc, argv, &taken), -EINVAL);
		assert_non_null(strstr(logged(), rows[i].error));
		/* one message, one line */
		assert_ptr_equal(strchr(logged(), '\n'), logged() + strlen(logged()) - 1);
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			teardown(state);
	}
}

/* Descriptors: 100 to 102 are open. */
static void
open_descriptors(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 100; fd <= 102; fd++)
		assert_int_equal(dup2(null, fd), fd);
	close(null);
}

static void
check_given(const char *line, const char *error)
{
	char words[128], *argv[MAX_ARGS];
	int argc, taken, ret;

	strcpy(words, line);
	argc = split(words, argv);
	open_descriptors();
	ret = options_take(argc, argv, &taken);
	assert_int_equal(ret, error != NULL ? -EINVAL : 0);
	if (error != NULL)
		assert_non_null(strstr(logged(), error));
}

static void
descriptors_are_ours_until_they_are_used(void **state)
{
	(void)state;
	check_given("app --ioasid-fd 100 --vfio-device-fd 0000:01:00.0=101 "
		    "--vfio-device-fd=02:00.0=102",
		    NULL);
	assert_int_equal(given_ioasid(), 100);
	assert_int_equal(given_device("0000:01:00.0"), 101);
	assert_int_equal(given_device("0000:02:00.0"), 102);
	assert_int_equal(given_device("0000:03:00.0"), -1);
	assert_int_equal(given_device("not on PCI"), -1);
	assert_int_equal(fcntl(101, F_GETFD), FD_CLOEXEC);

	given_used("0000:01:00.0");
	given_report_unused();
	assert_non_null(strstr(logged(), "--vfio-device-fd 0000:02:00.0=102 is not in use"));
	assert_null(strstr(logged(), "0000:01:00.0"));
	assert_int_equal(given_device("0000:01:00.0"), -1);
	assert_non_null(strstr(logged(), "0000:01:00.0: fd 101 of --vfio-device-fd was closed"));

	/* Each once. */
	given_report_unused();
	assert_null(strstr(strstr(logged(), "02:00.0=102 is not") + 1, "02:00.0=102 is not"));

	/* The used one is somebody else's now. */
	given_close_all();
	assert_int_equal(fcntl(100, F_GETFD), -1);
	assert_int_equal(fcntl(102, F_GETFD), -1);
	assert_int_equal(close(101), 0);
	assert_int_equal(given_ioasid(), -1);
	assert_int_equal(given_device("0000:02:00.0"), -1);
}

static void
descriptors_that_cannot_be_right(void **state)
{
	static const struct {
		const char *argv, *error;
	} rows[] = {
		{ "app --ioasid-fd", "needs a value: --ioasid-fd N" },
		{ "app --ioasid-fd=x", "\"x\": give the number of an open descriptor" },
		{ "app --ioasid-fd=100x", "give the number" },
		{ "app --ioasid-fd=-1", "give the number" },
		{ "app --ioasid-fd=4294967296", "give the number" },
		{ "app --ioasid-fd 999", "--ioasid-fd 999: fd 999 is not open" },
		{ "app --ioasid-fd 100 --ioasid-fd 101", "given already by another --ioasid-fd" },
		{ "app --ioasid-dev /dev/x --ioasid-fd 100",
		  "given already by --ioasid-dev /dev/x" },
		{ "app --ioasid-fd 100 --ioasid-dev /dev/x", "--ioasid-fd 100 is given already" },
		{ "app --vfio-device-fd 100", "give a PCI address and the number" },
		{ "app --vfio-device-fd =100", "give a PCI address" },
		{ "app --vfio-device-fd x=100", "give a PCI address" },
		{ "app --vfio-device-fd 0000:01:00.0=", "give a PCI address" },
		{ "app --vfio-device-fd 0000:01:00.0000000000000000=100", "give a PCI address" },
		{ "app --vfio-device-fd 0000:01:00.0=999", "fd 999 is not open" },
		{ "app --vfio-device-fd 0000:01:00.0=100 --vfio-device-fd 01:00.0=101",
		  "0000:01:00.0 has fd 100 already" },
		{ "app --vfio-device-fd 01:00.0=100 --vfio-device-fd 02:00.0=100",
		  "fd 100 is given for 0000:01:00.0 already" },
		{ "app --ioasid-fd 100 --vfio-device-fd 01:00.0=100",
		  "fd 100 is given for --ioasid-fd already" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0)
			setup(state);
		check_given(rows[i].argv, rows[i].error);
		assert_ptr_equal(strchr(logged(), '\n'), logged() + strlen(logged()) - 1);
		given_close_all();
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			teardown(state);
	}
	for (int fd = 100; fd <= 102; fd++)
		close(fd);
}

/* What EAL does: consume words of its own up to "--", put the program's name last. */
static int eal_argc;
static char *eal_argv[MAX_ARGS];
static int eal_result;

static int
fake_eal_init(int argc, char **argv)
{
	eal_argc = argc;
	memcpy(eal_argv, argv, (size_t)argc * sizeof(*argv));
	if (eal_result >= 0)
		argv[eal_result] = argv[0];
	return eal_result;
}

static void
check_call(const char *words, const char *seen_by_eal, int eal_ret, int result,
	   const char *seen_by_application)
{
	char copy[128], text[128], *argv[MAX_ARGS];
	int argc, taken;

	strcpy(copy, words);
	argc = split(copy, argv);
	assert_int_equal(options_take(argc, argv, &taken), 0);
	eal_result = eal_ret;
	assert_int_equal(options_call_without(fake_eal_init, argc, argv, taken), result);
	join(text, sizeof(text), eal_argc, eal_argv);
	assert_string_equal(text, seen_by_eal);
	if (result < 0)
		return;
	join(text, sizeof(text), argc - result, argv + result);
	assert_string_equal(text, seen_by_application);
	assert_string_equal(argv[0], "app");
}

static void
application_parses_on_where_eal_stopped(void **state)
{
	(void)state;
	check_call("app -m 64 -- -i", "app -m 64 -- -i", 3, 3, "app -i");
	check_call("app -m 64 --allow-insecure-vfio -- -i", "app -m 64 -- -i", 3, 4, "app -i");
	check_call("app --ioasid-dev /dev/x -m 64 --allow-insecure-vfio -- -i x",
		   "app -m 64 -- -i x", 3, 6, "app -i x");
	/* nothing but ours, and an application's word: EAL consumes none */
	check_call("app --allow-insecure-vfio x", "app x", 0, 1, "app x");
	check_call("app x", "app x", 0, 0, "app x");
	check_call("app --allow-insecure-vfio --bad", "app --bad", -1, -1, NULL);
}

/* Read once a process, so everything about the variable is one test. */
static void
environment(void **state)
{
	(void)state;
	assert_int_equal(unsetenv(OPTIONS_ENV), 0);
	assert_int_equal(options_env(), 0);
	assert_int_equal(
		setenv(OPTIONS_ENV, " --ioasid-dev\t/dev/x  --allow-insecure-vfio -m 512", 1), 0);
	assert_int_equal(options_env(), -EINVAL);
	assert_non_null(strstr(logged(), OPTIONS_ENV ": \"-m\" is not an option of dpdk-ioasid"));
	assert_true(options.allow_insecure);
	assert_string_equal(options.dev, "/dev/x");
	/* As an application does with its arguments. */
	assert_int_equal(unsetenv(OPTIONS_ENV), 0);
	/* Whoever asks later must not take it for good, either. */
	assert_int_equal(options_env(), -EINVAL);
}

/* What the privileged program does that whoever starts it has set the variable for. */
#define PRIVILEGED "--privileged"

static int
privileged(void)
{
	char *argv[] = { (char[]){ "app" }, (char[]){ "--allow-insecure-vfio" } };
	int taken;

	if (getauxval(AT_SECURE) == 0)
		return NOT_PRIVILEGED;
	if (log_capture() < 0 || options_env() < 0 || options_env() < 0 || options.allow_insecure ||
	    strstr(logged(), OPTIONS_ENV " is not read") == NULL ||
	    strstr(strstr(logged(), " is not read") + 1, " is not read") != NULL)
		return EXIT_FAILURE;
	/* The program's own arguments are as good as ever. */
	return options_take(2, argv, &taken) == 0 && options.allow_insecure ? EXIT_SUCCESS
									    : EXIT_FAILURE;
}

/* A set-user-ID copy of this program; false: cannot be had here. */
static bool
copy_program(char *path)
{
	char command[PATH_MAX + 64];
	int fd = mkstemp(path);

	if (fd < 0)
		return false;
	close(fd);
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s", (int)getpid(), path);
	return system(command) == 0 && chown(path, 65534, 65534) == 0 && chmod(path, 04755) == 0;
}

static void
environment_of_a_privileged_program(void **state)
{
	char path[] = "/var/tmp/test_options.XXXXXX";
	bool copied = copy_program(path);
	char command[PATH_MAX + 64];
	int status = -1;

	(void)state;
	snprintf(command, sizeof(command),
		 OPTIONS_ENV "='--allow-insecure-vfio --ioasid-fd 77' %s " PRIVILEGED, path);
	if (copied)
		status = system(command);
	unlink(path);
	if (!copied || WEXITSTATUS(status) == NOT_PRIVILEGED) {
		print_message("skipped: no set-user-ID program can be made here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_ours_and_leaves_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(window_is_two_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_is_one_clear_error, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_are_ours_until_they_are_used, setup,
						teardown),
		cmocka_unit_test_setup_teardown(descriptors_that_cannot_be_right, setup, teardown),
		cmocka_unit_test_setup_teardown(application_parses_on_where_eal_stopped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(environment, setup, teardown),
		cmocka_unit_test(environment_of_a_privileged_program),
	};

	if (argc > 1 && strcmp(argv[1], PRIVILEGED) == 0)
		_exit(privileged()); /* a sanitizer's exit may not look into it */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
