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

static const struct ioasid_sys sys_linux = {
	.open = sys_open,
	.close = sys_close,
	.ioctl = sys_ioctl,
	.rdev = sys_rdev,
	.adopt = sys_adopt,
};

const struct ioasid_sys *ioasid_sys = &sys_linux;
