/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys.h"

static int
sys_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void
sys_close(int fd)
{
	close(fd);
}

static int
sys_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	/* No call we make is cancelled half-way by a signal: EINTR means "not begun". */
	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

static int
sys_rdev(int fd, dev_t *rdev)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENODEV;
	*rdev = st.st_rdev;
	return 0;
}

static int
sys_adopt(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if ((flags & O_ACCMODE) != O_RDWR)
		return -EACCES;
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

static ssize_t
sys_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	ssize_t n = pread(fd, buf, size, (off_t)offset);

	return n < 0 ? -errno : n;
}

static ssize_t
sys_pwrite(int fd, const void *buf, size_t size, uint64_t offset)
{
	ssize_t n = pwrite(fd, buf, size, (off_t)offset);

	return n < 0 ? -errno : n;
}

/* Until it is full: procfs gives out a file piece by piece. */
static ssize_t
read_all(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n;

	do {
		n = read(fd, buf + used, size - used);
		used += n > 0 ? (size_t)n : 0;
	} while (used < size && (n > 0 || (n < 0 && errno == EINTR)));
	return n < 0 ? -errno : (ssize_t)used;
}

static ssize_t
sys_read_file(const char *path, void *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_all(fd, buf, size);
	close(fd);
	return n;
}

static int
sys_read_link(const char *path, char *buf, size_t size)
{
	ssize_t n = readlink(path, buf, size);

	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}

static int
is_not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int
sys_list(const char *path, struct dirent ***entries)
{
	int n = scandir(path, entries, is_not_hidden, alphasort);

	return n < 0 ? -errno : n;
}

static const struct ioasid_sys sys_linux = {
	.open = sys_open,
	.close = sys_close,
	.ioctl = sys_ioctl,
	.pread = sys_pread,
	.pwrite = sys_pwrite,
	.rdev = sys_rdev,
	.adopt = sys_adopt,
	.read_file = sys_read_file,
	.read_link = sys_read_link,
	.list = sys_list,
};

const struct ioasid_sys *ioasid_sys = &sys_linux;
