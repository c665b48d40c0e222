/* SPDX-License-Identifier: BSD-3-Clause */

/* Descriptors that somebody else has opened: what they must be, and whose they are when. */

#include "sys.h"
#include "test.h"

#define CDEV0 "/dev/vfio/devices/vfio0"
#define CDEV1 "/dev/vfio/devices/vfio1"

static struct ioasid_device *dev;

static int
join_fd(const char *bdf, int fd)
{
	const struct ioasid_join_how how = { .fd = fd };

	return ioasid_join_with(ctx, fake_sysfs(), bdf, &how, &dev);
}

/* /dev/ioasid */

static void
iommufd_is_used_as_it_is(void **state)
{
	int fd = fake_open_elsewhere("/dev/iommu", false);
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "fd %d", fd);
	CHECK_OK(ioasid_open_fd(fd, NULL, &ctx));
	CHECK_EQ(ioasid_fd(ctx), fd);
	CHECK_STR(ioasid_path(ctx), name);
	CHECK(fake_is_close_on_exec(fd));
	/* nothing was opened, and the probe left no IOAS behind */
	CHECK_EQ(fake_count(FAKE_OPEN), 0);
	CHECK_EQ(alloc(), 1);
	ioasid_close(ctx);
	ctx = NULL;
	CHECK_EQ(fake_open_files(), 0);
}

static void
iommufd_that_is_none_stays_the_callers(void **state)
{
	int null = fake_open_elsewhere("/dev/null", false);
	int cdev = fake_open_elsewhere(CDEV0, false);
	int read_only = fake_open_elsewhere("/dev/iommu", true);

	(void)state;
	CHECK_ERR(ioasid_open_fd(null, NULL, &ctx), ENOTTY);
	CHECK_SAYS("not an iommufd");
	CHECK_ERR(ioasid_open_fd(cdev, NULL, &ctx), ENOTTY);
	CHECK_ERR(ioasid_open_fd(read_only, NULL, &ctx), EACCES);
	CHECK_SAYS("O_RDWR");
	CHECK_ERR(ioasid_open_fd(4999, NULL, &ctx), EBADF);
	CHECK_SAYS("fd 4999");
	CHECK_SAYS("is not open");
	/* not even asked by ioctl: a regular file, a socket */
	fake_fail(FAKE_RDEV, 1, ENODEV);
	CHECK_ERR(ioasid_open_fd(null, NULL, &ctx), ENOTTY);
	CHECK_EQ(fake_count(KABI_IOAS_ALLOC), 2);
	CHECK_EQ(fake_open_files(), 3);
	ioasid_sys->close(null);
	ioasid_sys->close(cdev);
	ioasid_sys->close(read_only);
}

/* Devices */

static void
device_joins_by_its_fd(void **state)
{
	int fd = fake_open_elsewhere(CDEV0, false);

	(void)state;
	CHECK_OK(join_fd(NIC0, fd));
	CHECK_EQ(ioasid_device_fd(dev), fd);
	CHECK_EQ(fake_count(FAKE_OPEN), 2); /* setup's /dev/ioasid and /dev/iommu */
	CHECK(fake_is_close_on_exec(fd));
	CHECK(fake_is_bound(NIC0));
	attach(dev, ioas);
	/* From here on it is the device's. */
	ioasid_leave(dev);
	CHECK(!fake_is_bound(NIC0));
	CHECK_EQ(fake_open_files(), 1);
}

static void
close_of_the_context_closes_it(void **state)
{
	(void)state;
	CHECK_OK(join_fd(NIC0, fake_open_elsewhere(CDEV0, false)));
	ioasid_close(ctx);
	ctx = NULL;
	CHECK_EQ(fake_open_files(), 0);
}

static void
fd_of_another_device(void **state)
{
	int fd = fake_open_elsewhere(CDEV1, false);

	(void)state;
	CHECK_ERR(join_fd(NIC0, fd), EPROTO);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("not its device node, which is /dev/vfio/devices/vfio0 (511:0)");
	CHECK_EQ(fake_count(KABI_BIND), 0);
	/* still the caller's, and good for the right device */
	CHECK_OK(join_fd(NIC1, fd));
}

static void
fd_of_something_else(void **state)
{
	int fd = fake_open_elsewhere("/dev/null", false);

	(void)state;
	CHECK_ERR(join_fd(NIC0, fd), EPROTO);
	fake_fail(FAKE_RDEV, 1, ENODEV);
	CHECK_ERR(join_fd(NIC0, fd), EPROTO);
	CHECK_EQ(fake_count(KABI_BIND), 0);
	ioasid_sys->close(fd);
	CHECK_ERR(join_fd(NIC0, fd), EBADF);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("is not open");
}

static void
fd_that_is_read_only(void **state)
{
	int fd = fake_open_elsewhere(CDEV0, true);

	(void)state;
	CHECK_ERR(join_fd(NIC0, fd), EACCES);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("O_RDWR");
	ioasid_sys->close(fd);
}

/* A failed BIND leaves it to the caller, who may try again. */
static void
fd_survives_a_failed_join(void **state)
{
	int fd = fake_open_elsewhere(CDEV0, false);

	(void)state;
	fake_fail(KABI_BIND, 1, EBUSY);
	CHECK_ERR(join_fd(NIC0, fd), EBUSY);
	CHECK_EQ(fake_open_files(), 2);
	CHECK_OK(join_fd(NIC0, fd));
}

static void
members_of_a_group_by_their_fds(void **state)
{
	struct ioasid_device *hd;

	(void)state;
	CHECK_OK(join_fd(GROUP_HD, fake_open_elsewhere("/dev/vfio/devices/vfio4", false)));
	hd = dev;
	CHECK_ERR(ioasid_attach(hd, ioas), EPERM);
	CHECK_OK(join_fd(GROUP_NIC, fake_open_elsewhere("/dev/vfio/devices/vfio3", false)));
	attach(dev, ioas);
	attach(hd, ioas);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_MACHINE(iommufd_is_used_as_it_is),
		TEST_MACHINE(iommufd_that_is_none_stays_the_callers),
		TEST(device_joins_by_its_fd),
		TEST(close_of_the_context_closes_it),
		TEST(fd_of_another_device),
		TEST(fd_of_something_else),
		TEST(fd_that_is_read_only),
		TEST(fd_survives_a_failed_join),
		TEST(members_of_a_group_by_their_fds),
	};

	return cmocka_run_group_tests_name("given", tests, NULL, NULL);
}
