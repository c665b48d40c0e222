/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

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

const char *
machine_kernel(void)
{
	static char release[65];

	if (release[0] == '\0') {
		const struct path path = machine_path("/proc/sys/kernel/osrelease");

		machine_line(&path, release, sizeof(release));
	}
	return release;
}

unsigned int
machine_kernel_number(void)
{
	unsigned int major = 0, minor = 0;

	sscanf(machine_kernel(), "%u.%u", &major, &minor);
	return major << 8 | (minor & 0xff);
}
