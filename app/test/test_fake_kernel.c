/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * That the fake kernel keeps the kernel's rules, also those that the library never
 * lets it come to. What is claimed here can be tried with the same calls on a real one.
 */

#include <fcntl.h>

#include "sys.h"
#include "test.h"

static int iommufd;

static int
setup(void **state)
{
	setup_machine(state);
	iommufd = ioasid_sys->open("/dev/iommu", O_RDWR);
	return iommufd < 0;
}

static int
end(void **state)
{
	if (iommufd >= 0)
		ioasid_sys->close(iommufd);
	return teardown(state);
}

#define TEST_FAKE(f) cmocka_unit_test_setup_teardown(f, setup, end)

/* Raw calls */

static uint32_t
new_ioas(void)
{
	struct kabi_ioas_alloc arg = { .size = sizeof(arg) };

	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOAS_ALLOC, &arg), 0);
	return arg.out_ioas_id;
}

static int
destroy(uint32_t id)
{
	struct kabi_destroy arg = { .size = sizeof(arg), .id = id };

	return ioasid_sys->ioctl(iommufd, KABI_DESTROY, &arg);
}

static int
raw_map(uint32_t id, uint64_t iova, uint64_t length)
{
	struct kabi_map arg = {
		.size = sizeof(arg),
		.flags = KABI_MAP_FIXED_IOVA | KABI_MAP_READABLE,
		.ioas_id = id,
		.user_va = VA,
		.length = length,
		.iova = iova,
	};

	return ioasid_sys->ioctl(iommufd, KABI_MAP, &arg);
}

static int
raw_unmap(uint32_t id, uint64_t iova, uint64_t length, uint64_t *unmapped)
{
	struct kabi_unmap arg = {
		.size = sizeof(arg), .ioas_id = id, .iova = iova, .length = length
	};
	int ret = ioasid_sys->ioctl(iommufd, KABI_UNMAP, &arg);

	if (unmapped != NULL)
		*unmapped = arg.length;
	return ret;
}

static int
open_cdev(unsigned int n)
{
	char node[40];
	int fd;

	snprintf(node, sizeof(node), "/dev/vfio/devices/vfio%u", n);
	fd = ioasid_sys->open(node, O_RDWR);
	CHECK(fd >= 0);
	return fd;
}

static int
raw_bind(int fd, int to)
{
	struct kabi_bind arg = { .argsz = sizeof(arg), .iommufd = to };

	return ioasid_sys->ioctl(fd, KABI_BIND, &arg);
}

static int
raw_attach(int fd, uint32_t id)
{
	struct kabi_attach arg = { .argsz = sizeof(arg), .pt_id = id };

	return ioasid_sys->ioctl(fd, KABI_ATTACH, &arg);
}

static int
raw_detach(int fd)
{
	struct kabi_detach arg = { .argsz = sizeof(arg) };

	return ioasid_sys->ioctl(fd, KABI_DETACH, &arg);
}

static int
bound_cdev(unsigned int n)
{
	int fd = open_cdev(n);

	CHECK_RET(raw_bind(fd, iommufd), 0);
	return fd;
}

/* Numbers of the cdevs: the order of plugging in. */
enum { CDEV_NIC0, CDEV_NIC1, CDEV_BRIDGE, CDEV_GROUP_NIC, CDEV_GROUP_HD };

/* Forms of calls */

static void
unknown_ioctls(void **state)
{
	int fd = bound_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(ioasid_sys->ioctl(iommufd, _IO(';', 0x7f), &fd), -ENOTTY);
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_BIND, &fd), -ENOTTY);
	CHECK_RET(ioasid_sys->ioctl(fd, KABI_MAP, &fd), -ENOTTY);
	ioasid_sys->close(fd);
	CHECK_RET(ioasid_sys->ioctl(fd, KABI_MAP, &fd), -EBADF);
}

static void
sizes_of_structs(void **state)
{
	struct {
		struct kabi_ioas_alloc alloc;
		uint32_t tail;
	} arg = { .alloc = { .size = sizeof(arg.alloc) - 1 } };

	(void)state;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOAS_ALLOC, &arg), -EINVAL);
	arg.alloc.size = sizeof(arg);
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOAS_ALLOC, &arg), 0);
	arg.tail = 1;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOAS_ALLOC, &arg), -E2BIG);
	arg.tail = 0;
	arg.alloc.flags = 1;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOAS_ALLOC, &arg), -EOPNOTSUPP);
}

static void
sizes_of_vfio_structs(void **state)
{
	struct kabi_bind bind = { .argsz = sizeof(bind) - 1, .iommufd = iommufd };
	struct kabi_attach att = { .argsz = sizeof(att) - 1, .pt_id = new_ioas() };
	struct kabi_detach det = { .argsz = sizeof(det) - 1 };
	int fd = open_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(ioasid_sys->ioctl(fd, KABI_BIND, &bind), -EINVAL);
	bind.argsz = sizeof(bind);
	bind.flags = 2;
	CHECK_RET(ioasid_sys->ioctl(fd, KABI_BIND, &bind), -EINVAL);
	bind.flags = 0;
	CHECK_RET(ioasid_sys->ioctl(fd, KABI_BIND, &bind), 0);
	CHECK_RET(ioasid_sys->ioctl(fd, KABI_ATTACH, &att), -EINVAL);
	CHECK_RET(ioasid_sys->ioctl(fd, KABI_DETACH, &det), -EINVAL);
	ioasid_sys->close(fd);
}

static void
flags_of_map(void **state)
{
	struct kabi_map arg = { .size = sizeof(arg),
				.flags = 1u << 3,
				.ioas_id = new_ioas(),
				.user_va = VA,
				.length = PAGE };

	(void)state;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_MAP, &arg), -EOPNOTSUPP);
	arg.flags = KABI_MAP_FIXED_IOVA;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_MAP, &arg), -EINVAL);
	arg.flags |= KABI_MAP_READABLE;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_MAP, &arg), 0);
}

/* Maps */

static void
overlap_is_eexist(void **state)
{
	const uint32_t id = new_ioas();

	(void)state;
	CHECK_RET(raw_map(id, 2 * PAGE, 2 * PAGE), 0);
	CHECK_RET(raw_map(id, 3 * PAGE, PAGE), -EEXIST);
	CHECK_RET(raw_map(id, 2 * PAGE, 2 * PAGE), -EEXIST);
	CHECK_RET(raw_map(id, 0, 2 * PAGE), 0);
	CHECK_RET(raw_map(id, 4 * PAGE, 2 * PAGE), 0);
}

static void
unmap_removes_what_comes_before_a_cut(void **state)
{
	const uint32_t id = new_ioas();

	(void)state;
	CHECK_RET(raw_map(id, 0, PAGE), 0);
	CHECK_RET(raw_map(id, PAGE, PAGE), 0);
	CHECK_RET(raw_map(id, 2 * PAGE, 2 * PAGE), 0);
	CHECK_RET(raw_unmap(id, 0, 3 * PAGE, NULL), -ENOENT);
	CHECK_EQ(fake_areas(iommufd, id), 1);
	CHECK(fake_has_area(iommufd, id, 2 * PAGE, VA, 2 * PAGE));
}

/* Gaps do not matter, as long as there is anything. */
static void
unmap_over_gaps(void **state)
{
	const uint32_t id = new_ioas();
	uint64_t unmapped;

	(void)state;
	CHECK_RET(raw_map(id, 2 * PAGE, PAGE), 0);
	CHECK_RET(raw_map(id, 6 * PAGE, PAGE), 0);
	CHECK_RET(raw_unmap(id, 0, 16 * PAGE, &unmapped), 0);
	CHECK_EQ(unmapped, 2 * PAGE);
	CHECK_RET(raw_unmap(id, 0, 16 * PAGE, NULL), -ENOENT);
	CHECK_RET(raw_unmap(id, 0, UINT64_MAX, &unmapped), 0);
	CHECK_EQ(unmapped, 0);
	CHECK_RET(raw_unmap(id, 0, 0, NULL), -EINVAL);
	CHECK_RET(raw_unmap(id, PAGE, UINT64_MAX - 1, NULL), -EOVERFLOW);
}

static void
alignment_counts_once_a_device_is_attached(void **state)
{
	const uint32_t id = new_ioas();
	int fd = bound_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(raw_map(id, 1, 1), 0);
	CHECK_RET(raw_attach(fd, id), -EADDRINUSE);
	CHECK_RET(raw_unmap(id, 1, 1, NULL), 0);
	CHECK_RET(raw_attach(fd, id), 0);
	CHECK_RET(raw_map(id, 1, PAGE), -EINVAL);
	CHECK_RET(raw_map(id, 0, 1), -EINVAL);
	ioasid_sys->close(fd);
}

/* BIND */

static void
nothing_goes_before_bind(void **state)
{
	int fd = open_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(raw_attach(fd, new_ioas()), -EINVAL);
	CHECK_RET(raw_detach(fd), -EINVAL);
	CHECK_RET(ioasid_sys->ioctl(fd, _IO(';', 0), &fd), -EINVAL);
	CHECK_RET(raw_bind(fd, -1), -EINVAL);
	CHECK_RET(raw_bind(fd, 4000), -EBADF);
	CHECK_RET(raw_bind(fd, fd), -EBADFD);
	ioasid_sys->close(fd);
}

static void
one_bind_a_device(void **state)
{
	int fd = bound_cdev(CDEV_NIC0), second = open_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(raw_bind(fd, iommufd), -EINVAL);
	CHECK_RET(raw_bind(second, iommufd), -EINVAL);
	ioasid_sys->close(fd);
	CHECK_RET(raw_bind(second, iommufd), 0);
	ioasid_sys->close(second);
}

static void
one_owner_a_group(void **state)
{
	int other = ioasid_sys->open("/dev/iommu", O_RDWR);
	int nic = bound_cdev(CDEV_GROUP_NIC), hd = open_cdev(CDEV_GROUP_HD);

	(void)state;
	CHECK_RET(raw_bind(hd, other), -EPERM);
	CHECK_RET(raw_bind(hd, iommufd), 0);
	ioasid_sys->close(nic);
	ioasid_sys->close(hd);
	hd = open_cdev(CDEV_GROUP_HD);
	CHECK_RET(raw_bind(hd, other), 0);
	ioasid_sys->close(hd);
	ioasid_sys->close(other);
}

/* ATTACH */

static void
attach_needs_an_ioas(void **state)
{
	int fd = bound_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(raw_attach(fd, 50), -ENOENT);
	/* Its own id: an object, but no IOAS. */
	CHECK_RET(raw_attach(fd, 1), -EINVAL);
	ioasid_sys->close(fd);
}

static void
group_has_one_page_table(void **state)
{
	const uint32_t first = new_ioas(), second = new_ioas();
	int nic = bound_cdev(CDEV_GROUP_NIC), hd = bound_cdev(CDEV_GROUP_HD);

	(void)state;
	CHECK_RET(raw_attach(nic, first), 0);
	CHECK_RET(raw_attach(hd, second), -EINVAL);
	CHECK_RET(raw_attach(hd, first), 0);
	CHECK_RET(raw_attach(hd, second), 0);
	CHECK_EQ(fake_attached(GROUP_NIC), second);
	CHECK_RET(destroy(second), -EBUSY);
	CHECK_RET(destroy(first), 0);
	CHECK_RET(raw_detach(nic), 0);
	CHECK_RET(destroy(second), -EBUSY);
	CHECK_RET(raw_detach(hd), 0);
	CHECK_RET(destroy(second), 0);
	CHECK_RET(raw_detach(hd), 0);
	ioasid_sys->close(nic);
	ioasid_sys->close(hd);
}

static void
regions_of_attached_devices_only(void **state)
{
	const uint32_t id = new_ioas();
	int nic = bound_cdev(CDEV_GROUP_NIC), hd = bound_cdev(CDEV_GROUP_HD);

	(void)state;
	CHECK_RET(raw_attach(nic, id), 0);
	CHECK_RET(raw_map(id, MSI_START, PAGE), -EINVAL);
	CHECK_RET(raw_map(id, HD_START, PAGE), 0);
	CHECK_RET(raw_attach(hd, id), -EADDRINUSE);
	CHECK_RET(raw_unmap(id, HD_START, PAGE, NULL), 0);
	CHECK_RET(raw_attach(hd, id), 0);
	CHECK_RET(raw_map(id, HD_START, PAGE), -EINVAL);
	CHECK_RET(raw_map(id, RELAXABLE_START, PAGE), 0);
	CHECK_RET(raw_detach(nic), 0);
	/* Still the disk controller's. */
	CHECK_RET(raw_map(id, MSI_START, PAGE), -EINVAL);
	CHECK_RET(raw_detach(hd), 0);
	CHECK_RET(raw_map(id, MSI_START, PAGE), 0);
	ioasid_sys->close(nic);
	ioasid_sys->close(hd);
}

static void
failed_move_changes_nothing(void **state)
{
	const uint32_t first = new_ioas(), second = new_ioas();
	int nic = bound_cdev(CDEV_GROUP_NIC), hd = bound_cdev(CDEV_GROUP_HD);

	(void)state;
	CHECK_RET(raw_attach(nic, first), 0);
	CHECK_RET(raw_attach(hd, first), 0);
	/* In the way of the sibling, not of the one that moves. */
	CHECK_RET(raw_map(second, HD_START, PAGE), 0);
	CHECK_RET(raw_attach(nic, second), -EADDRINUSE);
	CHECK_EQ(fake_attached(GROUP_NIC), first);
	CHECK_EQ(fake_attached(GROUP_HD), first);
	CHECK_RET(raw_map(first, MSI_START, PAGE), -EINVAL);
	CHECK_RET(raw_map(second, MSI_START, PAGE), 0);
	ioasid_sys->close(nic);
	ioasid_sys->close(hd);
}

static void
pinning_is_counted_over_all_ioases(void **state)
{
	const uint32_t first = new_ioas(), second = new_ioas();
	int nic0 = bound_cdev(CDEV_NIC0), nic1 = bound_cdev(CDEV_NIC1);

	(void)state;
	fake_machine.memlock = 3 * PAGE;
	CHECK_RET(raw_map(first, 0, 2 * PAGE), 0);
	CHECK_RET(raw_map(second, 0, 2 * PAGE), 0);
	CHECK_RET(raw_attach(nic0, first), 0);
	CHECK_RET(raw_attach(nic1, second), -ENOMEM);
	CHECK_EQ(fake_pinned(), 2 * PAGE);
	CHECK_RET(raw_detach(nic0), 0);
	CHECK_RET(raw_attach(nic1, second), 0);
	ioasid_sys->close(nic0);
	ioasid_sys->close(nic1);
}

/* Lifetime: a bound device keeps maps and page table, also when the iommufd is closed. */
static void
maps_live_as_long_as_a_device(void **state)
{
	const uint32_t id = new_ioas();
	int fd = bound_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(raw_map(id, 0, PAGE), 0);
	CHECK_RET(raw_attach(fd, id), 0);
	ioasid_sys->close(iommufd);
	iommufd = -1;
	CHECK_EQ(fake_pinned(), PAGE);
	CHECK_EQ(fake_attached(NIC0), id);
	ioasid_sys->close(fd);
	CHECK_EQ(fake_pinned(), 0);
}

static void
ids_are_used_again(void **state)
{
	const uint32_t first = new_ioas(), second = new_ioas();

	(void)state;
	CHECK_RET(destroy(first), 0);
	CHECK_RET(destroy(first), -ENOENT);
	CHECK_EQ(new_ioas(), first);
	CHECK_RET(destroy(second), 0);
}

/* The faults themselves */

static void
fault_fires_once_and_does_nothing(void **state)
{
	const uint32_t id = new_ioas();

	(void)state;
	fake_fail(KABI_MAP, 2, ENOMEM);
	CHECK_RET(raw_map(id, 0, PAGE), 0);
	CHECK_RET(raw_map(id, PAGE, PAGE), -ENOMEM);
	CHECK_RET(raw_map(id, PAGE, PAGE), 0);
	CHECK_EQ(fake_fail_clear(), 1);
	CHECK_EQ(fake_count(KABI_MAP), 3);
	fake_fail(FAKE_OPEN, 1, EMFILE);
	CHECK_RET(ioasid_sys->open("/dev/iommu", O_RDWR), -EMFILE);
	fake_fail(KABI_MAP, 1, EIO);
	CHECK_EQ(fake_fail_clear(), 1);
	CHECK_RET(raw_map(id, 4 * PAGE, PAGE), 0);
}

/* What is left is found; without this, no test would fail that leaks. */
static void
leaks_are_found(void **state)
{
	(void)state;
	CHECK_EQ(fake_left(), 2);
	CHECK_RET(raw_map(new_ioas(), 0, PAGE), 0);
	/* The file, its iommufd, an IOAS and an area. */
	CHECK_EQ(fake_left(), 4);
	ioasid_sys->close(iommufd);
	iommufd = -1;
	CHECK_EQ(fake_left(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FAKE(unknown_ioctls),
		TEST_FAKE(sizes_of_structs),
		TEST_FAKE(sizes_of_vfio_structs),
		TEST_FAKE(flags_of_map),
		TEST_FAKE(overlap_is_eexist),
		TEST_FAKE(unmap_removes_what_comes_before_a_cut),
		TEST_FAKE(unmap_over_gaps),
		TEST_FAKE(alignment_counts_once_a_device_is_attached),
		TEST_FAKE(nothing_goes_before_bind),
		TEST_FAKE(one_bind_a_device),
		TEST_FAKE(one_owner_a_group),
		TEST_FAKE(attach_needs_an_ioas),
		TEST_FAKE(group_has_one_page_table),
		TEST_FAKE(regions_of_attached_devices_only),
		TEST_FAKE(failed_move_changes_nothing),
		TEST_FAKE(pinning_is_counted_over_all_ioases),
		TEST_FAKE(maps_live_as_long_as_a_device),
		TEST_FAKE(ids_are_used_again),
		TEST_FAKE(fault_fires_once_and_does_nothing),
		TEST_FAKE(leaks_are_found),
	};

	return cmocka_run_group_tests_name("fake_kernel", tests, NULL, NULL);
}
