/* SPDX-License-Identifier: BSD-3-Clause */

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "guard/conf.h"
#include "machine/files.h"
#include "machine/pci.h"

#define MAX_WORDS 4
#define BLANKS    " \t\r\n"

const char *const guard_rules[] = { "bound", "joined", "alone", NULL };
const char *const exception_kinds[] = { "device", "cgroup", "group", "uid", NULL };

static int
place_in(const char *const *words, const char *word)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

int
guard_rule_of(const char *name)
{
	return place_in(guard_rules, name);
}

/* ---- exceptions */

static bool
wrong(const char *where, const char *text, const char *why)
{
	fprintf(stderr, "dpdk-ioasid guard: %s: \"%s\" %s\n", where, text, why);
	return false;
}

static bool
parse_number(const char *text, const char *where, uint32_t max, struct exception *exception)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || n > max)
		return wrong(where, text, "is not a number that it could be");
	exception->number = (uint32_t)n;
	snprintf(exception->text, sizeof(exception->text), "%llu", n);
	return true;
}

static bool
parse_device(const char *text, const char *where, struct exception *exception)
{
	char bdf[IOASID_BDF_SIZE];

	if (!pci_parse(text, bdf))
		return wrong(where, text, "is not a PCI address such as 0000:03:02.0");
	snprintf(exception->text, sizeof(exception->text), "%s", bdf);
	return true;
}

/* As /proc/PID/cgroup shows it; the kernel compares its directories one by one. */
static bool
parse_cgroup(const char *text, const char *where, struct exception *exception)
{
	char *end = exception->text;
	int depth = 0;

	if (text[0] != '/' || strlen(text) >= sizeof(exception->text))
		return wrong(where, text, "is not a cgroup's path, as /proc/PID/cgroup shows it");
	while (*text != '\0') {
		size_t n;

		text += strspn(text, "/");
		n = strcspn(text, "/");
		if (n == 0)
			break;
		if (n >= GUARD_CGROUP_NAME || ++depth > GUARD_CGROUP_DEPTH)
			return wrong(where, text, "is too long or too deep for a cgroup's path");
		if ((n == 1 && text[0] == '.') || (n == 2 && strncmp(text, "..", 2) == 0))
			return wrong(where, text, "goes up: give the path as it is");
		end += sprintf(end, "/%.*s", (int)n, text);
		text += n;
	}
	if (depth == 0)
		return wrong(where, "/", "is every process: to judge nobody, stop the guard");
	return true;
}

bool
exception_parse(const char *kind, const char *text, const char *where, struct exception *exception)
{
	const int which = place_in(exception_kinds, kind);

	memset(exception, 0, sizeof(*exception));
	exception->kind = (enum exception_kind)which;
	switch (which) {
	case EXCEPT_DEVICE:
		return parse_device(text, where, exception);
	case EXCEPT_CGROUP:
		return parse_cgroup(text, where, exception);
	case EXCEPT_GROUP:
		return parse_number(text, where, INT32_MAX, exception);
	case EXCEPT_UID:
		if (!parse_number(text, where, UINT32_MAX - 1, exception))
			return false;
		return exception->number != 0 ||
		       wrong(where, text, "is root: name a device, a cgroup or a group");
	default:
		return wrong(where, kind, "cannot be allowed: device, cgroup, group or uid can");
	}
}

static bool
is_same(const struct exception *a, const struct exception *b)
{
	return a->kind == b->kind && strcmp(a->text, b->text) == 0;
}

/* ---- lines */

/* The words of a line, which is changed: how many, more than MAX_WORDS are one more. */
static int
split(char *line, char *words[MAX_WORDS])
{
	char *rest = NULL;
	int n = 0;

	line[strcspn(line, "#")] = '\0';
	for (char *w = strtok_r(line, BLANKS, &rest); w != NULL;
	     w = strtok_r(NULL, BLANKS, &rest)) {
		if (n == MAX_WORDS)
			return n + 1;
		words[n++] = w;
	}
	return n;
}

static bool
set_mode(const char *word, const char *where, struct guard_conf *conf)
{
	conf->report_only = strcmp(word, "report-only") == 0;
	return conf->report_only || strcmp(word, "enforce") == 0 ||
	       wrong(where, word, "is no mode: enforce or report-only");
}

static bool
set_rule(const char *word, const char *where, struct guard_conf *conf)
{
	const int rule = guard_rule_of(word);

	if (rule < 0)
		return wrong(where, word, "is no rule: bound, joined or alone");
	conf->rule = (enum guard_rule)rule;
	return true;
}

static bool
parse_line(char *line, const char *where, struct guard_conf *conf)
{
	struct exception *exception;
	char *words[MAX_WORDS];
	const int n = split(line, words);

	if (n == 0)
		return true;
	if (n == 2 && strcmp(words[0], "mode") == 0)
		return set_mode(words[1], where, conf);
	if (n == 2 && strcmp(words[0], "rule") == 0)
		return set_rule(words[1], where, conf);
	if (n != 3 || strcmp(words[0], "allow") != 0)
		return wrong(
			where, words[0],
			"does not begin a line as `mode M`, `rule R` and `allow KIND WHAT` do");
	conf->exceptions =
		list_grow(conf->exceptions, conf->nexceptions, sizeof(*conf->exceptions));
	exception = &conf->exceptions[conf->nexceptions++];
	return exception_parse(words[1], words[2], where, exception);
}

/* ---- the file */

static bool
failed(const char *path, const char *what)
{
	fprintf(stderr, "dpdk-ioasid guard: %s: %s: %s\n", path, what, strerror(errno));
	return false;
}

/* Who could write it could let anybody through. */
static bool
is_trusted(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return failed(path, "cannot be looked at");
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		fprintf(stderr,
			"dpdk-ioasid guard: %s may be written by others than root: "
			"chown root %s; chmod go-w %s\n",
			path, path, path);
		return false;
	}
	return true;
}

static bool
read_lines(FILE *f, const char *path, struct guard_conf *conf)
{
	char *line = NULL, where[PATH_MAX + 32];
	unsigned int number = 0;
	bool good = true;
	size_t size = 0;
	ssize_t n;

	while (good && (n = getline(&line, &size, f)) >= 0) {
		snprintf(where, sizeof(where), "%s, line %u", path, ++number);
		good = strlen(line) == (size_t)n ? parse_line(line, where, conf)
						 : wrong(where, line, "is followed by a NUL");
	}
	free(line);
	return good && (!ferror(f) || failed(path, "cannot be read"));
}

bool
conf_read(const char *path, struct guard_conf *conf)
{
	FILE *f = fopen(path, "re");
	bool good;

	memset(conf, 0, sizeof(*conf));
	if (f == NULL)
		return errno == ENOENT || failed(path, "cannot be opened");
	good = is_trusted(path, fileno(f)) && read_lines(f, path, conf);
	fclose(f);
	if (!good)
		conf_free(conf);
	return good;
}

void
conf_free(struct guard_conf *conf)
{
	free(conf->exceptions);
	memset(conf, 0, sizeof(*conf));
}

/* ---- changing it */

static bool
is_line_of(const char *line, const struct exception *exception)
{
	struct guard_conf one = { 0 };
	char *copy = strdup(line);
	bool same;

	if (copy == NULL)
		err(STATUS_NO, "memory");
	same = parse_line(copy, "", &one) && one.nexceptions == 1 &&
	       is_same(&one.exceptions[0], exception);
	conf_free(&one);
	free(copy);
	return same;
}

/* All lines but the exception's; how many those were. */
static unsigned int
copy_without(const char *path, FILE *to, const struct exception *exception)
{
	FILE *f = fopen(path, "re");
	unsigned int found = 0;
	char *line = NULL;
	size_t size = 0;

	if (f == NULL)
		return 0;
	while (getline(&line, &size, f) >= 0) {
		if (is_line_of(line, exception))
			found++;
		else
			fprintf(to, "%s%s", line, strchr(line, '\n') != NULL ? "" : "\n");
	}
	free(line);
	fclose(f);
	return found;
}

static bool
make_directory(const char *path)
{
	char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), "%s", path);
	*strrchr(directory, '/') = '\0';
	return mkdir(directory, 0755) == 0 || errno == EEXIST ||
	       failed(directory, "cannot be made");
}

static bool
write_back(const char *path, const struct exception *exception, bool add)
{
	char next[PATH_MAX + 8];
	unsigned int found;
	bool good;
	FILE *f;

	snprintf(next, sizeof(next), "%s.new", path);
	f = fopen(next, "we");
	if (f == NULL)
		return failed(next, "cannot be written");
	found = copy_without(path, f, exception);
	if (add)
		fprintf(f, "allow %s %s\n", exception_kinds[exception->kind], exception->text);
	good = fchmod(fileno(f), 0644) == 0 && fflush(f) == 0 && !ferror(f) &&
	       fsync(fileno(f)) == 0;
	if (fclose(f) != 0 || !good || rename(next, path) < 0) {
		failed(path, "cannot be written");
		unlink(next);
		return false;
	}
	return add || found > 0;
}

static bool
has(const char *path, const struct exception *exception, bool *found)
{
	struct guard_conf conf;

	*found = false;
	if (!conf_read(path, &conf))
		return false;
	for (unsigned int i = 0; i < conf.nexceptions; i++)
		*found = *found || is_same(&conf.exceptions[i], exception);
	conf_free(&conf);
	return true;
}

bool
conf_add(const char *path, const struct exception *exception)
{
	bool found;

	if (!has(path, exception, &found))
		return false;
	return found || (make_directory(path) && write_back(path, exception, true));
}

bool
conf_remove(const char *path, const struct exception *exception)
{
	bool found;

	if (!has(path, exception, &found))
		return false;
	if (!found) {
		fprintf(stderr, "dpdk-ioasid guard: %s does not allow %s %s\n", path,
			exception_kinds[exception->kind], exception->text);
		return false;
	}
	return write_back(path, exception, false);
}
