/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * That the fake kernel keeps the kernel's rules, also those that the library never
 * lets it come to. What is claimed here can be tried with the same calls on a real one.
 */

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/vfio.h>

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

/* VFIO's own calls */

static int
set_irqs(int fd, unsigned int index, int eventfd)
{
	uint64_t buf[(sizeof(struct vfio_irq_set) + sizeof(int32_t) + 7) / 8];
	struct vfio_irq_set *set = (struct vfio_irq_set *)buf;
	const int32_t data = eventfd;

	*set = (struct vfio_irq_set){
		.argsz = sizeof(*set) + sizeof(data),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = 1,
	};
	memcpy(set->data, &data, sizeof(data));
	return ioasid_sys->ioctl(fd, VFIO_DEVICE_SET_IRQS, set);
}

static void
a_device_says_what_it_is(void **state)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info region = { .argsz = sizeof(region) };
	int fd = open_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(ioasid_sys->ioctl(fd, VFIO_DEVICE_GET_INFO, &info), -EINVAL);
	CHECK_RET(raw_bind(fd, iommufd), 0);
	CHECK_RET(ioasid_sys->ioctl(fd, VFIO_DEVICE_GET_INFO, &info), 0);
	CHECK_EQ(info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	CHECK(info.num_irqs > VFIO_PCI_REQ_IRQ_INDEX);
	info.argsz = 4;
	CHECK_RET(ioasid_sys->ioctl(fd, VFIO_DEVICE_GET_INFO, &info), -EINVAL);
	region.index = VFIO_PCI_CONFIG_REGION_INDEX;
	CHECK_RET(ioasid_sys->ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &region), 0);
	CHECK(region.offset != 0);
	region.index = VFIO_PCI_BAR0_REGION_INDEX;
	CHECK_RET(ioasid_sys->ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &region), -EINVAL);
	ioasid_sys->close(fd);
}

static void
bus_master_is_a_bit_of_the_command_register(void **state)
{
	const uint64_t at = ((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + 4;
	int fd = open_cdev(CDEV_NIC0);
	uint16_t command = 7;

	(void)state;
	CHECK_RET((int)ioasid_sys->pread(fd, &command, 2, at), -EINVAL);
	CHECK_RET(raw_bind(fd, iommufd), 0);
	fake_set_bus_master(NIC0, true);
	CHECK_EQ(ioasid_sys->pread(fd, &command, 2, at), 2);
	CHECK_EQ(command, 4);
	command = 3;
	CHECK_EQ(ioasid_sys->pwrite(fd, &command, 2, at), 2);
	CHECK(!fake_is_bus_master(NIC0));
	command = 7;
	CHECK_EQ(ioasid_sys->pwrite(fd, &command, 2, at), 2);
	CHECK(fake_is_bus_master(NIC0));
	CHECK_RET((int)ioasid_sys->pread(iommufd, &command, 2, at), -EINVAL);
	fake_fail(FAKE_PREAD, 1, EIO);
	CHECK_RET((int)ioasid_sys->pread(fd, &command, 2, at), -EIO);
	fake_fail(FAKE_PWRITE, 1, EIO);
	CHECK_RET((int)ioasid_sys->pwrite(fd, &command, 2, at), -EIO);
	CHECK_EQ(fake_count(FAKE_PWRITE), 3);
	/* Whoever has it next finds it off. */
	ioasid_sys->close(fd);
	CHECK(!fake_is_bus_master(NIC0));
}

static void
resets_are_counted(void **state)
{
	int fd = open_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(ioasid_sys->ioctl(fd, VFIO_DEVICE_RESET, NULL), -EINVAL);
	CHECK_RET(raw_bind(fd, iommufd), 0);
	CHECK_EQ(fake_resets(NIC0), 0);
	CHECK_RET(ioasid_sys->ioctl(fd, VFIO_DEVICE_RESET, NULL), 0);
	CHECK_RET(ioasid_sys->ioctl(fd, VFIO_DEVICE_RESET, NULL), 0);
	CHECK_EQ(fake_resets(NIC0), 2);
	CHECK_EQ(fake_resets(NIC1), 0);
	ioasid_sys->close(fd);
}

static void
request_signals_whoever_listens(void **state)
{
	int fd = bound_cdev(CDEV_NIC0), event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	eventfd_t n = 0;

	(void)state;
	CHECK(!fake_request(NIC0));
	CHECK_RET(set_irqs(fd, VFIO_PCI_MSIX_IRQ_INDEX, event), 0);
	CHECK(!fake_request(NIC0));
	CHECK_RET(set_irqs(fd, VFIO_PCI_NUM_IRQS, event), -EINVAL);
	CHECK_RET(set_irqs(fd, VFIO_PCI_REQ_IRQ_INDEX, event), 0);
	CHECK(fake_request(NIC0));
	CHECK(!fake_request(NIC1));
	CHECK_EQ(eventfd_read(event, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_RET(set_irqs(fd, VFIO_PCI_REQ_IRQ_INDEX, -1), 0);
	CHECK(!fake_request(NIC0));
	CHECK_RET(set_irqs(fd, VFIO_PCI_REQ_IRQ_INDEX, event), 0);
	ioasid_sys->close(fd);
	CHECK(!fake_request(NIC0));
	close(event);
}

/* Before a device is attached, such an IOMMU driver says that nothing can be addressed. */
static void
late_table_knows_nothing_before_attach(void **state)
{
	struct kabi_iova_range ranges[4] = { { 7, 7 } };
	struct kabi_iova_ranges arg = { .size = sizeof(arg),
					.ioas_id = new_ioas(),
					.num_iovas = 4,
					.allowed_iovas = (uintptr_t)ranges };
	int fd = bound_cdev(CDEV_NIC0);

	(void)state;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOVA_RANGES, &arg), 0);
	CHECK_EQ(arg.num_iovas, 1);
	CHECK_EQ(ranges[0].last, UINT64_MAX);
	fake_machine.late_table = true;
	arg.num_iovas = 0;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOVA_RANGES, &arg), -EMSGSIZE);
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOVA_RANGES, &arg), 0);
	CHECK_EQ(arg.num_iovas, 1);
	CHECK_EQ(ranges[0].start, 0);
	CHECK_EQ(ranges[0].last, 0);
	CHECK_RET(raw_attach(fd, arg.ioas_id), 0);
	arg.num_iovas = 4;
	CHECK_RET(ioasid_sys->ioctl(iommufd, KABI_IOVA_RANGES, &arg), 0);
	CHECK_EQ(arg.num_iovas, 2);
	CHECK_EQ(ranges[0].last, MSI_START - 1);
	ioasid_sys->close(fd);
}

/* Who can reach what an attached sibling can */

static void
exposed_are_the_unbound_of_an_attached_group(void **state)
{
	const struct fake_pci host = { .bdf = "0000:04:00.0",
				       .group = THE_GROUP,
				       .class_code = 0x060000 };
	const uint32_t id = new_ioas();
	const char *bdfs[4] = { NULL };
	int nic = bound_cdev(CDEV_GROUP_NIC), hd;

	(void)state;
	fake_plug(&host);
	CHECK_EQ(fake_exposed(bdfs, 4), 0);
	CHECK_RET(raw_attach(nic, id), 0);
	CHECK_EQ(fake_exposed(bdfs, 4), 1);
	CHECK_STR(bdfs[0], GROUP_HD);
	CHECK_EQ(fake_exposed(NULL, 0), 1);
	hd = bound_cdev(CDEV_GROUP_HD);
	CHECK_EQ(fake_exposed(bdfs, 4), 0);
	/* The page table stays with whoever is still attached. */
	CHECK_RET(raw_attach(hd, id), 0);
	ioasid_sys->close(nic);
	CHECK_EQ(fake_exposed(bdfs, 4), 1);
	CHECK_STR(bdfs[0], GROUP_NIC);
	fake_unplug(GROUP_NIC);
	CHECK_EQ(fake_exposed(bdfs, 4), 0);
	ioasid_sys->close(hd);
	CHECK_EQ(fake_exposed(bdfs, 4), 0);
}

/* Files */

static void
files_are_read_from_the_tree(void **state)
{
	struct dirent **entries = NULL;
	char path[256], text[64] = "", link[256];
	int n;

	(void)state;
	snprintf(path, sizeof(path), "%s/%s/vendor", fake_sysfs(), NIC0);
	CHECK_EQ(ioasid_sys->read_file(path, text, sizeof(text)), 7);
	CHECK_STR(text, "0x8086\n");
	snprintf(path, sizeof(path), "%s/%s/iommu_group", fake_sysfs(), NIC0);
	CHECK_RET(ioasid_sys->read_link(path, link, sizeof(link)), 0);
	CHECK_STR(link, "../../../kernel/iommu_groups/11");
	snprintf(path, sizeof(path), "%s/%s/vfio-dev", fake_sysfs(), NIC0);
	n = ioasid_sys->list(path, &entries);
	CHECK_EQ(n, 1);
	CHECK_STR(entries[0]->d_name, "vfio0");
	free(entries[0]);
	free(entries);
	/* By whole paths, too, of which the real ones are not looked at. */
	fake_write("/proc/devices", "fake\n");
	memset(text, 0, sizeof(text));
	CHECK_EQ(ioasid_sys->read_file("/proc/devices", text, sizeof(text)), 5);
	CHECK_STR(text, "fake\n");
	fake_write("/proc/devices", NULL);
	CHECK_RET((int)ioasid_sys->read_file("/proc/devices", text, sizeof(text)), -ENOENT);
	CHECK_RET((int)ioasid_sys->read_file("/sys/kernel/uevent_seqnum", text, 8), -ENOENT);
}

static void
reading_files_fails_and_is_counted(void **state)
{
	struct dirent **entries;
	char path[256], text[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/%s/vendor", fake_sysfs(), NIC0);
	fake_fail(FAKE_READ_FILE, 2, EIO);
	CHECK_EQ(ioasid_sys->read_file(path, text, sizeof(text)), 7);
	CHECK_RET((int)ioasid_sys->read_file(path, text, sizeof(text)), -EIO);
	CHECK_EQ(ioasid_sys->read_file(path, text, sizeof(text)), 7);
	CHECK_EQ(fake_count(FAKE_READ_FILE), 3);
	fake_fail(FAKE_READ_LINK, 1, ENOMEM);
	CHECK_RET(ioasid_sys->read_link(fake_sysfs(), text, sizeof(text)), -ENOMEM);
	CHECK_RET(ioasid_sys->read_link(fake_sysfs(), text, sizeof(text)), -EINVAL);
	CHECK_EQ(fake_count(FAKE_READ_LINK), 2);
	fake_fail(FAKE_LIST, 1, EACCES);
	CHECK_RET(ioasid_sys->list(fake_sysfs(), &entries), -EACCES);
	CHECK_EQ(fake_count(FAKE_LIST), 1);
	/* Any call: of whatever kind comes. */
	fake_fail(FAKE_ANY, 2, EXDEV);
	CHECK_EQ(ioasid_sys->read_file(path, text, sizeof(text)), 7);
	CHECK_RET(ioasid_sys->read_link(fake_sysfs(), text, sizeof(text)), -EXDEV);
	CHECK_EQ(fake_fail_clear(), 4);
}

/* Holds and surprises */

static int held_ret;

static void *
map_in_thread(void *arg)
{
	held_ret = raw_map(*(uint32_t *)arg, 0, PAGE);
	return NULL;
}

static void
a_held_call_does_nothing_and_holds_nobody(void **state)
{
	uint32_t id = new_ioas();
	pthread_t thread;

	(void)state;
	fake_hold(KABI_MAP);
	assert_int_equal(pthread_create(&thread, NULL, map_in_thread, &id), 0);
	fake_wait_held();
	CHECK_EQ(fake_areas(iommufd, id), 0);
	CHECK_EQ(fake_count(KABI_MAP), 0);
	CHECK_RET(raw_map(id, PAGE, PAGE), 0);
	fake_let_go();
	pthread_join(thread, NULL);
	CHECK_RET(held_ret, 0);
	CHECK_EQ(fake_areas(iommufd, id), 2);
}

static unsigned int surprises;

static void
surprise(void)
{
	surprises++;
	/* It may change the machine, and make calls. */
	fake_unplug(GROUP_HD);
	new_ioas();
}

static void
a_surprise_comes_before_its_call_once(void **state)
{
	const uint32_t id = new_ioas();

	(void)state;
	surprises = 0;
	fake_at(KABI_MAP, surprise);
	CHECK_EQ(new_ioas(), id + 1);
	CHECK_EQ(surprises, 0);
	CHECK_RET(raw_map(id, 0, PAGE), 0);
	CHECK_EQ(surprises, 1);
	CHECK_EQ(new_ioas(), id + 3);
	CHECK_RET(raw_map(id, PAGE, PAGE), 0);
	CHECK_EQ(surprises, 1);
}

static void
closes_are_counted(void **state)
{
	int fd = open_cdev(CDEV_NIC0);
	const unsigned int any = fake_count(FAKE_ANY);

	(void)state;
	fake_fail(FAKE_ANY, 1, EIO);
	ioasid_sys->close(fd);
	CHECK_EQ(fake_fail_clear(), 0);
	CHECK_EQ(fake_count(FAKE_CLOSE), 1);
	CHECK_EQ(fake_count(FAKE_ANY), any);
	CHECK_EQ(fake_open_files(), 1);
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
		TEST_FAKE(a_device_says_what_it_is),
		TEST_FAKE(bus_master_is_a_bit_of_the_command_register),
		TEST_FAKE(resets_are_counted),
		TEST_FAKE(request_signals_whoever_listens),
		TEST_FAKE(late_table_knows_nothing_before_attach),
		TEST_FAKE(exposed_are_the_unbound_of_an_attached_group),
		TEST_FAKE(files_are_read_from_the_tree),
		TEST_FAKE(reading_files_fails_and_is_counted),
		TEST_FAKE(a_held_call_does_nothing_and_holds_nobody),
		TEST_FAKE(a_surprise_comes_before_its_call_once),
		TEST_FAKE(closes_are_counted),
		TEST_FAKE(fault_fires_once_and_does_nothing),
		TEST_FAKE(leaks_are_found),
	};

	return cmocka_run_group_tests_name("fake_kernel", tests, NULL, NULL);
}
