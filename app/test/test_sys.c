/* SPDX-License-Identifier: BSD-3-Clause */

/* The table of real system calls, on nodes that every machine has. No fake kernel. */

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys.h"
#include "test.h"

/* ioctl() of the library, wrapped by the linker: so many times interrupted by a signal. */

static unsigned int interrupts, ioctls;

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

int
__wrap_ioctl(int fd, unsigned long request, void *arg)
{
	ioctls++;
	if (interrupts > 0) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	return __real_ioctl(fd, request, arg);
}

static void
open_is_close_on_exec(void **state)
{
	int fd = ioasid_sys->open("/dev/null", O_RDWR);
	int flags = fcntl(fd, F_GETFD);

	(void)state;
	CHECK(fd >= 0);
	ioasid_sys->close(fd);
	CHECK_EQ(flags & FD_CLOEXEC, FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD), -1);
}

static void
open_gives_errno(void **state)
{
	(void)state;
	CHECK_RET(ioasid_sys->open("/dev/null/x", O_RDWR), -ENOTDIR);
	CHECK_RET(ioasid_sys->open("/nonexistent", O_RDWR), -ENOENT);
}

static void
ioctl_gives_errno_or_result(void **state)
{
	int bytes = -1, pipes[2], ret;

	(void)state;
	CHECK_EQ(pipe(pipes), 0);
	ret = ioasid_sys->ioctl(pipes[0], FIONREAD, &bytes);
	CHECK_EQ(ret, 0);
	CHECK_EQ(bytes, 0);
	CHECK_RET(ioasid_sys->ioctl(pipes[0], KABI_MAP, NULL), -ENOTTY);
	close(pipes[0]);
	close(pipes[1]);
	CHECK_RET(ioasid_sys->ioctl(pipes[0], FIONREAD, &bytes), -EBADF);
}

static void
ioctl_is_begun_anew_after_a_signal(void **state)
{
	(void)state;
	interrupts = 3;
	ioctls = 0;
	CHECK_RET(ioasid_sys->ioctl(-1, FIONREAD, NULL), -EBADF);
	CHECK_EQ(ioctls, 4);
}

static void
rdev_of_a_character_device(void **state)
{
	int fd = ioasid_sys->open("/dev/null", O_RDWR);
	dev_t rdev = 0;

	(void)state;
	CHECK_EQ(ioasid_sys->rdev(fd, &rdev), 0);
	CHECK_EQ(rdev, makedev(1, 3));
	ioasid_sys->close(fd);
	CHECK_RET(ioasid_sys->rdev(fd, &rdev), -EBADF);
}

static void
rdev_of_anything_else(void **state)
{
	int fd = ioasid_sys->open("/", O_RDONLY);
	dev_t rdev;

	(void)state;
	CHECK_RET(ioasid_sys->rdev(fd, &rdev), -ENODEV);
	ioasid_sys->close(fd);
}

static void
adopt_makes_close_on_exec(void **state)
{
	int fd = open("/dev/null", O_RDWR);

	(void)state;
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_RET(ioasid_sys->adopt(fd), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	CHECK_RET(ioasid_sys->adopt(fd), -EBADF);
	CHECK_RET(ioasid_sys->adopt(-1), -EBADF);
}

static void
adopt_wants_both_directions(void **state)
{
	const int flags[] = { O_RDONLY, O_WRONLY };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = open("/dev/null", flags[i]);

		CHECK_RET(ioasid_sys->adopt(fd), -EACCES);
		close(fd);
	}
}

/* The library on top of it. */
static void
given_fd_is_not_an_iommufd(void **state)
{
	struct ioasid_ctx *opened;
	int null = open("/dev/null", O_RDWR), pipes[2];

	(void)state;
	CHECK_ERR(ioasid_open_fd(null, &opened), ENOTTY);
	CHECK_SAYS("is /dev/null and not an iommufd");
	CHECK_RET(fcntl(null, F_GETFD), FD_CLOEXEC);
	close(null);
	CHECK_EQ(pipe(pipes), 0);
	CHECK_ERR(ioasid_open_fd(pipes[0], &opened), EACCES);
	CHECK_SAYS("pipe:");
	close(pipes[0]);
	close(pipes[1]);
	CHECK_ERR(ioasid_open_fd(pipes[0], &opened), EBADF);
}

static void
open_of_what_is_not_an_iommufd(void **state)
{
	struct ioasid_ctx *opened;

	(void)state;
	CHECK_ERR(ioasid_open("/dev/null", &opened), ENOTTY);
	CHECK_SAYS("/dev/null");
	CHECK_ERR(ioasid_open("/nonexistent", &opened), ENOENT);
	CHECK_SAYS("/nonexistent");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_is_close_on_exec),
		cmocka_unit_test(open_gives_errno),
		cmocka_unit_test(ioctl_gives_errno_or_result),
		cmocka_unit_test(ioctl_is_begun_anew_after_a_signal),
		cmocka_unit_test(rdev_of_a_character_device),
		cmocka_unit_test(rdev_of_anything_else),
		cmocka_unit_test(adopt_makes_close_on_exec),
		cmocka_unit_test(adopt_wants_both_directions),
		cmocka_unit_test(given_fd_is_not_an_iommufd),
		cmocka_unit_test(open_of_what_is_not_an_iommufd),
	};

	return cmocka_run_group_tests_name("sys", tests, NULL, NULL);
}
