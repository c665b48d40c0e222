/* SPDX-License-Identifier: BSD-3-Clause */

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "machine/files.h"

static const char *
root(void)
{
	const char *dir = getenv(ROOT_ENV);

	return dir != NULL ? dir : "";
}

struct path
machine_path(const char *fmt, ...)
{
	struct path path = { "" };
	va_list ap;
	int n;

	n = snprintf(path.s, sizeof(path.s), "%s", root());
	va_start(ap, fmt);
	if (n < (int)sizeof(path.s))
		n += vsnprintf(path.s + n, sizeof(path.s) - (size_t)n, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(path.s))
		path.s[0] = '\0';
	return path;
}

const char *
machine_devices(void)
{
	static struct path devices;

	if (devices.s[0] == '\0')
		devices = machine_path("/sys/bus/pci/devices");
	return devices.s;
}

const char *
machine_shown(const struct path *path)
{
	const size_t n = strlen(root());

	return strncmp(path->s, root(), n) == 0 ? path->s + n : path->s;
}

bool
machine_exists(const struct path *path)
{
	return access(path->s, F_OK) == 0;
}

bool
machine_may_open(const struct path *path)
{
	return faccessat(AT_FDCWD, path->s, R_OK | W_OK, AT_EACCESS) == 0;
}

int
machine_line(const struct path *path, char *buf, size_t size)
{
	FILE *f = fopen(path->s, "re");
	int err;

	buf[0] = '\0';
	if (f == NULL)
		return -errno;
	errno = 0;
	err = fgets(buf, (int)size, f) == NULL ? -errno : 0;
	if (err < 0)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	machine_printable(buf);
	fclose(f);
	return err;
}

int
machine_link(const struct path *path, char *buf, size_t size)
{
	struct path target;
	const char *name;
	ssize_t n;

	buf[0] = '\0';
	n = readlink(path->s, target.s, sizeof(target.s) - 1);
	if (n < 0)
		return -errno;
	target.s[n] = '\0';
	name = strrchr(target.s, '/');
	name = name != NULL ? name + 1 : target.s;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, name);
	machine_printable(buf);
	return 0;
}

int
machine_write(const struct path *path, const char *text)
{
	int fd = open(path->s, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

bool
machine_is_saved(void)
{
	return root()[0] != '\0';
}

void
machine_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

void *
list_grow(void *list, unsigned int count, size_t size)
{
	list = reallocarray(list, count + 1, size);
	if (list == NULL)
		err(STATUS_NO, "memory");
	memset((char *)list + count * size, 0, size);
	return list;
}

enum answer
machine_flag(const struct path *path)
{
	char line[8];

	if (machine_line(path, line, sizeof(line)) < 0)
		return UNKNOWN;
	if (strcmp(line, "Y") == 0 || strcmp(line, "1") == 0)
		return YES;
	return strcmp(line, "N") == 0 || strcmp(line, "0") == 0 ? NO : UNKNOWN;
}

struct number
machine_number(const struct path *path, int base)
{
	struct number number = { UNKNOWN, 0 };
	char line[64], *end;

	if (machine_line(path, line, sizeof(line)) < 0 || line[0] == '-')
		return number;
	errno = 0;
	number.n = strtoull(line, &end, base);
	if (errno == 0 && end != line)
		number.is = YES;
	return number;
}

static int
not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int
machine_list(const struct path *dir, char ***names)
{
	struct dirent **entries;
	int n = scandir(dir->s, &entries, not_hidden, alphasort);

	*names = NULL;
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		*names = list_grow(*names, (unsigned int)i, sizeof(**names));
		(*names)[i] = strdup(entries[i]->d_name);
		if ((*names)[i] == NULL)
			err(STATUS_NO, "memory");
		free(entries[i]);
	}
	free(entries);
	return n;
}

void
machine_list_free(char **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

struct name
machine_name(const struct path *path)
{
	struct name name = { UNKNOWN, "" };
	const int err = machine_link(path, name.s, sizeof(name.s));

	name.is = err == 0 ? YES : err == -ENOENT ? NO : UNKNOWN;
	return name;
}
