/* SPDX-License-Identifier: BSD-3-Clause */

/* The guard's file of rules and exceptions, as it is read and as it is changed. */

#include <sys/mman.h>

#include "fuzz.h"
/* Reading from a stream is static; the path must be of root's file. */
#include "guard/conf.c"

/* Quietly; what it says of a line goes nowhere. */
static bool
parse(char *text, size_t size, struct guard_conf *conf)
{
	FILE *const said = stderr;
	FILE *f = fmemopen(text, size, "r");
	bool good;

	assert(f != NULL);
	memset(conf, 0, sizeof(*conf));
	stderr = fuzz_nowhere();
	good = read_lines(f, "conf", conf);
	stderr = said;
	fclose(f);
	return good;
}

/* What has been understood is written so, and understood again as the same. */
static void
check_exception(const struct exception *exception)
{
	struct exception again;
	char line[PATH_MAX + 32];

	assert(exception->kind <= EXCEPT_UID);
	assert(exception_parse(exception_kinds[exception->kind], exception->text, "again", &again));
	assert(is_same(exception, &again) && exception->number == again.number);
	snprintf(line, sizeof(line), "allow %s %s", exception_kinds[exception->kind],
		 exception->text);
	assert(is_line_of(line, exception));
	/* root is never let through as a user. */
	assert(exception->kind != EXCEPT_UID || exception->number != 0);
}

static const char *
write_file(const char *text, size_t size)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, text, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

/* The file without an exception says all else as before, and that no more. */
static void
check_removal(const char *path, const struct guard_conf *conf, const struct exception *exception)
{
	struct guard_conf rest;
	unsigned int found;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert(f != NULL);
	found = copy_without(path, f, exception);
	fclose(f);
	assert(found > 0);
	assert(size == 0 || parse(text, size, &rest));
	if (size > 0) {
		assert(rest.nexceptions == conf->nexceptions - found);
		assert(rest.rule == conf->rule && rest.report_only == conf->report_only);
		for (unsigned int i = 0; i < rest.nexceptions; i++)
			assert(!is_same(&rest.exceptions[i], exception));
		conf_free(&rest);
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guard_conf conf;
	char *text;

	if (size == 0)
		return 0;
	text = fuzz_text(data, size);
	if (parse(text, size, &conf) && conf.nexceptions > 0) {
		for (unsigned int i = 0; i < conf.nexceptions; i++)
			check_exception(&conf.exceptions[i]);
		check_removal(write_file(text, size), &conf, &conf.exceptions[0]);
	}
	conf_free(&conf);
	free(text);
	return 0;
}
