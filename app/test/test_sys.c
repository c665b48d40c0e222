/* SPDX-License-Identifier: BSD-3-Clause */

/* The table of real system calls, on what every machine has. No fake kernel. */

#include <fcntl.h>
#include <stdlib.h>
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

/* Bytes of a device, and files of sysfs: by those of any file system. */

static char dir[64];

static int
setup_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%.40s/ioasid-sys-XXXXXX", tmp != NULL ? tmp : "/tmp");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_dir(void **state)
{
	static const char *const names[] = { "file", "b", "a", ".hidden", "link" };
	char path[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

/* dir/name, with this text in it. */
static const char *
make_file(const char *name, const char *text)
{
	static char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	CHECK(f != NULL);
	fputs(text, f);
	fclose(f);
	return path;
}

static void
pread_and_pwrite_at_an_offset(void **state)
{
	int fd = open(make_file("file", "0123456789"), O_RDWR | O_CLOEXEC);
	char buf[4] = "";

	(void)state;
	CHECK_EQ(ioasid_sys->pwrite(fd, "ab", 2, 4), 2);
	CHECK_EQ(ioasid_sys->pread(fd, buf, 3, 3), 3);
	CHECK_STR(buf, "3ab");
	/* The end of the file is no error. */
	CHECK_EQ(ioasid_sys->pread(fd, buf, 3, 8), 2);
	CHECK_EQ(ioasid_sys->pread(fd, buf, 3, 10), 0);
	close(fd);
	CHECK_RET((int)ioasid_sys->pread(fd, buf, 3, 0), -EBADF);
	CHECK_RET((int)ioasid_sys->pwrite(fd, buf, 3, 0), -EBADF);
}

static void
read_file_gives_its_beginning(void **state)
{
	const char *path = make_file("file", "0123456789");
	char buf[16];

	(void)state;
	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(ioasid_sys->read_file(path, buf, 4), 4);
	CHECK(memcmp(buf, "0123x", 5) == 0);
	CHECK_EQ(ioasid_sys->read_file(path, buf, sizeof(buf)), 10);
	CHECK(memcmp(buf, "0123456789x", 11) == 0);
	CHECK_EQ(ioasid_sys->read_file(make_file("file", ""), buf, sizeof(buf)), 0);
	CHECK_EQ(ioasid_sys->read_file(path, buf, 0), 0);
}

/* procfs gives out a file piece by piece, and does not know its size before. */
static void
read_file_goes_on_until_it_is_full(void **state)
{
	static char buf[16384];
	ssize_t n = ioasid_sys->read_file("/proc/self/smaps", buf, sizeof(buf));

	(void)state;
	CHECK_EQ(n, sizeof(buf));
	n = ioasid_sys->read_file("/proc/self/comm", buf, sizeof(buf));
	CHECK(n > 0 && buf[n - 1] == '\n');
}

static void
read_file_gives_errno(void **state)
{
	char buf[16];

	(void)state;
	CHECK_RET((int)ioasid_sys->read_file("/nonexistent", buf, sizeof(buf)), -ENOENT);
	CHECK_RET((int)ioasid_sys->read_file("/dev/null/x", buf, sizeof(buf)), -ENOTDIR);
	CHECK_RET((int)ioasid_sys->read_file("/", buf, sizeof(buf)), -EISDIR);
	CHECK_RET((int)ioasid_sys->read_file("", buf, sizeof(buf)), -ENOENT);
}

/* No descriptor is left, whether it went well or not. */
static void
read_file_closes(void **state)
{
	int before = dup(0), after;
	char buf[16];

	(void)state;
	close(before);
	CHECK(ioasid_sys->read_file("/proc/self/comm", buf, sizeof(buf)) > 0);
	CHECK_RET((int)ioasid_sys->read_file("/", buf, sizeof(buf)), -EISDIR);
	after = dup(0);
	close(after);
	CHECK_EQ(after, before);
}

static void
read_link_ends_the_string(void **state)
{
	char path[96], buf[8];

	(void)state;
	snprintf(path, sizeof(path), "%s/link", dir);
	CHECK_EQ(symlink("1234567", path), 0);
	memset(buf, 'x', sizeof(buf));
	CHECK_RET(ioasid_sys->read_link(path, buf, sizeof(buf)), 0);
	CHECK_STR(buf, "1234567");
	/* No room for the zero: not cut, but refused. */
	CHECK_RET(ioasid_sys->read_link(path, buf, 7), -ENAMETOOLONG);
	CHECK_RET(ioasid_sys->read_link(path, buf, 3), -ENAMETOOLONG);
	CHECK_RET(ioasid_sys->read_link("/nonexistent", buf, sizeof(buf)), -ENOENT);
	CHECK_RET(ioasid_sys->read_link(dir, buf, sizeof(buf)), -EINVAL);
}

static void
list_is_in_order_without_the_hidden(void **state)
{
	struct dirent **entries = NULL;
	int n;

	(void)state;
	n = ioasid_sys->list(dir, &entries);
	free(entries);
	CHECK_EQ(n, 0);
	make_file("b", "");
	make_file("a", "");
	make_file(".hidden", "");
	n = ioasid_sys->list(dir, &entries);
	CHECK_EQ(n, 2);
	CHECK_STR(entries[0]->d_name, "a");
	CHECK_STR(entries[1]->d_name, "b");
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	CHECK_RET(ioasid_sys->list("/nonexistent", &entries), -ENOENT);
	CHECK_RET(ioasid_sys->list("/dev/null", &entries), -ENOTDIR);
}

/* The library on top of it. */
static void
given_fd_is_not_an_iommufd(void **state)
{
	struct ioasid_ctx *opened;
	int null = open("/dev/null", O_RDWR), pipes[2];

	(void)state;
	CHECK_ERR(ioasid_open_fd(null, NULL, &opened), ENOTTY);
	CHECK_SAYS("is /dev/null and not an iommufd");
	CHECK_RET(fcntl(null, F_GETFD), FD_CLOEXEC);
	close(null);
	CHECK_EQ(pipe(pipes), 0);
	CHECK_ERR(ioasid_open_fd(pipes[0], NULL, &opened), EACCES);
	CHECK_SAYS("pipe:");
	close(pipes[0]);
	close(pipes[1]);
	CHECK_ERR(ioasid_open_fd(pipes[0], NULL, &opened), EBADF);
}

static void
open_of_what_is_not_an_iommufd(void **state)
{
	struct ioasid_ctx *opened;

	(void)state;
	CHECK_ERR(ioasid_open("/dev/null", NULL, &opened), ENOTTY);
	CHECK_SAYS("/dev/null");
	CHECK_ERR(ioasid_open("/nonexistent", NULL, &opened), ENOENT);
	CHECK_SAYS("/nonexistent");
}

#define TEST_DIR(f) cmocka_unit_test_setup_teardown(f, setup_dir, remove_dir)

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
		TEST_DIR(pread_and_pwrite_at_an_offset),
		TEST_DIR(read_file_gives_its_beginning),
		cmocka_unit_test(read_file_goes_on_until_it_is_full),
		cmocka_unit_test(read_file_gives_errno),
		cmocka_unit_test(read_file_closes),
		TEST_DIR(read_link_ends_the_string),
		TEST_DIR(list_is_in_order_without_the_hidden),
		cmocka_unit_test(given_fd_is_not_an_iommufd),
		cmocka_unit_test(open_of_what_is_not_an_iommufd),
	};

	return cmocka_run_group_tests_name("sys", tests, NULL, NULL);
}
