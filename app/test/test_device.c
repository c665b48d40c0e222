/* SPDX-License-Identifier: BSD-3-Clause */

/* JOIN, ATTACH, moving, DETACH, LEAVE. The all-joined rule is in test_rule.c. */

#include "test.h"

static struct ioasid_device *dev;

/* Nothing of a device is left after a JOIN that failed. */
static void
check_not_joined(const char *bdf)
{
	CHECK(!fake_is_bound(bdf));
	CHECK_EQ(fake_open_files(), 1);
}

static int
try_join(const char *bdf)
{
	struct ioasid_device *joined = NULL;

	return ioasid_join(ctx, fake_sysfs(), bdf, 0, &joined);
}

/* JOIN */

static void
join_binds_the_device(void **state)
{
	(void)state;
	dev = join(NIC0);
	CHECK(fake_is_bound(NIC0));
	CHECK(!fake_is_bound(NIC1));
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK_EQ(fake_count(KABI_ATTACH), 0);
}

static void
what_a_joined_device_says_of_itself(void **state)
{
	struct ioasid_device *other;

	(void)state;
	dev = join(NIC1);
	other = join(GROUP_HD);
	CHECK_STR(ioasid_device_bdf(dev), NIC1);
	CHECK_STR(ioasid_device_cdev(dev), "vfio1");
	CHECK_STR(ioasid_device_sysfs(dev), fake_sysfs());
	CHECK_EQ(ioasid_device_group(dev), NIC1_GROUP);
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	CHECK(ioasid_device_fd(dev) != ioasid_device_fd(other));
	CHECK(ioasid_device_id(dev) != 0);
	CHECK(ioasid_device_id(dev) != ioasid_device_id(other));
	CHECK(ioasid_device_id(dev) != ioas);
	CHECK_EQ(ioasid_device_group(other), THE_GROUP);
}

static void
join_copies_the_strings(void **state)
{
	char bdf[] = NIC0, sysfs[128];

	(void)state;
	snprintf(sysfs, sizeof(sysfs), "%s", fake_sysfs());
	CHECK_OK(ioasid_join(ctx, sysfs, bdf, 0, &dev));
	memset(bdf, 'x', sizeof(bdf) - 1);
	memset(sysfs, 'x', sizeof(sysfs) - 1);
	CHECK_STR(ioasid_device_bdf(dev), NIC0);
	attach(dev, ioas);
}

static void
join_twice(void **state)
{
	(void)state;
	dev = join(NIC0);
	CHECK_ERR(try_join(NIC0), EEXIST);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("has joined /dev/iommu already");
	CHECK(fake_is_bound(NIC0));
	CHECK_EQ(fake_open_files(), 2);
}

static void
join_again_after_leave(void **state)
{
	(void)state;
	ioasid_leave(join(NIC0));
	dev = join(NIC0);
	CHECK(fake_is_bound(NIC0));
}

static void
join_with_unknown_flags(void **state)
{
	const unsigned int flags[] = { 1u << 1, 1u << 31, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		CHECK_ERR(ioasid_join(ctx, fake_sysfs(), NIC0, flags[i], &dev), EINVAL);
		CHECK_SAYS(NIC0);
	}
	check_not_joined(NIC0);
	CHECK_EQ(fake_count(FAKE_OPEN), 2);
}

static void
join_of_no_device(void **state)
{
	const char *const bdfs[] = { "0000:77:00.0", "", ("../devices/" NIC0), "..", "/" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bdfs); i++)
		CHECK_ERR(try_join(bdfs[i]), ENODEV);
	CHECK_EQ(fake_open_files(), 1);
}

/* An overlong name must not be cut to that of a device that exists. */
static void
join_of_an_overlong_name(void **state)
{
	struct fake_pci pci = pci_nic0;

	(void)state;
	pci.bdf = "0123456789012345678901234567890";
	pci.group = 50;
	fake_plug(&pci);
	CHECK_ERR(try_join("01234567890123456789012345678901"), ENODEV);
	CHECK(!fake_is_bound(pci.bdf));
	dev = join(pci.bdf);
	CHECK_STR(ioasid_device_bdf(dev), pci.bdf);
}

static void
join_of_a_device_not_on_vfio(void **state)
{
	const char *const drivers[] = { NULL, "igb", "pci-stub" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		fake_set_driver(NIC0, drivers[i]);
		CHECK_ERR(try_join(NIC0), ENOENT);
		CHECK_SAYS(NIC0);
		CHECK_SAYS("vfio-pci");
	}
	check_not_joined(NIC0);
}

static void
join_of_a_device_without_iommu(void **state)
{
	struct fake_pci pci = { .bdf = "0000:20:00.0",
				.group = FAKE_NO_GROUP,
				.driver = "vfio-pci" };

	(void)state;
	fake_plug(&pci);
	CHECK_ERR(try_join(pci.bdf), ENOENT);
	CHECK_SAYS(pci.bdf);
	CHECK_SAYS("no IOMMU group");
	check_not_joined(pci.bdf);
}

static void
join_with_a_strange_group(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", "garbage\n");
	CHECK_ERR(try_join(NIC0), EPROTO);
	check_not_joined(NIC0);
}

/* A node of a container that outlived its device is another device by now. */
static void
join_by_a_stale_node(void **state)
{
	(void)state;
	fake_set_stale(NIC0);
	CHECK_ERR(try_join(NIC0), EPROTO);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("/dev/vfio/devices/vfio0");
	CHECK_SAYS("511:0");
	CHECK_SAYS("stale");
	check_not_joined(NIC0);
	CHECK_EQ(fake_count(KABI_BIND), 0);
}

static void
join_when_the_node_has_no_number(void **state)
{
	(void)state;
	fake_fail(FAKE_RDEV, 1, ENODEV);
	CHECK_ERR(try_join(NIC0), EPROTO);
	check_not_joined(NIC0);
	CHECK_EQ(fake_count(KABI_BIND), 0);
}

static void
join_when_sysfs_has_no_number(void **state)
{
	const char *const texts[] = { "", "511\n", ":0\n", "x:y\n", "511:x\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		fake_sysfs_write(NIC0, "vfio-dev/vfio0/dev", texts[i]);
		CHECK_ERR(try_join(NIC0), EPROTO);
		CHECK_SAYS(NIC0);
	}
	check_not_joined(NIC0);
	CHECK_EQ(fake_count(KABI_BIND), 0);
}

/*
 * The directory vfio-dev is there since Linux 6.1, the device number in it only where
 * the kernel has device cdevs (6.6 and CONFIG_VFIO_DEVICE_CDEV).
 */
static void
join_on_a_kernel_without_cdevs(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "vfio-dev/vfio0/dev", NULL);
	CHECK_ERR(try_join(NIC0), ENOENT);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("Linux 6.6 and CONFIG_VFIO_DEVICE_CDEV");
	check_not_joined(NIC0);
}

/* Refusals by the kernel's own rules */

static void
join_with_the_legacy_group_open(void **state)
{
	(void)state;
	fake_set_legacy_open(NIC0_GROUP, true);
	CHECK_ERR(try_join(NIC0), EBUSY);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("/dev/vfio/GROUP");
	check_not_joined(NIC0);
	fake_set_legacy_open(NIC0_GROUP, false);
	dev = join(NIC0);
}

static void
join_off_the_default_domain(void **state)
{
	(void)state;
	fake_set_foreign_domain(NIC0_GROUP, true);
	CHECK_ERR(try_join(NIC0), EBUSY);
	CHECK_SAYS("default domain");
	check_not_joined(NIC0);
}

static void
join_without_isolated_interrupts(void **state)
{
	(void)state;
	fake_machine.unsafe_msi = true;
	CHECK_ERR(try_join(NIC0), EPERM);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("allow_unsafe_interrupts=1");
	check_not_joined(NIC0);
}

static void
join_where_the_platform_forbids_it(void **state)
{
	(void)state;
	fake_machine.not_coherent = true;
	CHECK_ERR(try_join(NIC0), EINVAL);
	CHECK_SAYS("cache-coherent");
	fake_machine.not_coherent = false;
	fake_set_require_direct(NIC0_GROUP, true);
	CHECK_ERR(try_join(NIC0), EINVAL);
	CHECK_SAYS("1:1");
	check_not_joined(NIC0);
}

static void
join_with_a_sibling_on_a_kernel_driver(void **state)
{
	(void)state;
	fake_set_driver(GROUP_HD, "sym53c8xx");
	CHECK_ERR(try_join(GROUP_NIC), EPERM);
	CHECK_SAYS(GROUP_NIC ": JOIN failed");
	CHECK_SAYS(GROUP_HD " is held by the kernel driver sym53c8xx");
	check_not_joined(GROUP_NIC);
}

/* A driver on a bridge, which leaves DMA alone, is not who holds the group. */
static void
join_with_a_driver_on_the_bridge(void **state)
{
	(void)state;
	fake_set_driver(BRIDGE, "pcieport");
	fake_machine.unsafe_msi = true;
	CHECK_ERR(try_join(GROUP_NIC), EPERM);
	CHECK(strstr(ioasid_error(), BRIDGE) == NULL);
	fake_machine.unsafe_msi = false;
	dev = join(GROUP_NIC);
}

static void
join_in_another_context(void **state)
{
	struct ioasid_ctx *second;
	struct ioasid_device *held;

	(void)state;
	CHECK_OK(ioasid_open(NULL, &second));
	CHECK_OK(ioasid_join(second, fake_sysfs(), NIC0, 0, &held));
	CHECK_ERR(try_join(NIC0), EINVAL);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("bound already");
	CHECK_EQ(fake_open_files(), 3);
	ioasid_leave(held);
	dev = join(NIC0);
	ioasid_close(second);
	CHECK(fake_is_bound(NIC0));
}

static void
join_with_a_sibling_in_another_context(void **state)
{
	struct ioasid_ctx *second;
	struct ioasid_device *held;

	(void)state;
	CHECK_OK(ioasid_open(NULL, &second));
	CHECK_OK(ioasid_join(second, fake_sysfs(), GROUP_HD, 0, &held));
	CHECK_ERR(try_join(GROUP_NIC), EPERM);
	CHECK_SAYS(GROUP_NIC);
	CHECK(!fake_is_bound(GROUP_NIC));
	ioasid_close(second);
	check_not_joined(GROUP_NIC);
	dev = join(GROUP_NIC);
}

/* ATTACH */

static void
attach_joined_device(void **state)
{
	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	CHECK_EQ(ioasid_device_ioasid(dev), ioas);
	CHECK_EQ(fake_attached(NIC0), ioas);
}

static void
attach_pins_the_maps_and_detach_unpins(void **state)
{
	(void)state;
	dev = join(NIC0);
	map(0, 5 * PAGE);
	CHECK_EQ(fake_pinned(), 0);
	attach(dev, ioas);
	CHECK_EQ(fake_pinned(), 5 * PAGE);
	CHECK_OK(ioasid_detach(dev));
	CHECK_EQ(fake_pinned(), 0);
	CHECK_EQ(ioasid_mapped_bytes(ctx), 5 * PAGE);
}

static void
attach_to_unknown_ioasid(void **state)
{
	const uint32_t second = alloc();
	uint32_t unknown[] = { 0, second, 99, UINT32_MAX, 0 };

	(void)state;
	dev = join(NIC0);
	CHECK_OK(ioasid_free(ctx, second));
	/* An object of the kernel, but not an IOASID. */
	unknown[4] = ioasid_device_id(dev);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		CHECK_ERR(ioasid_attach(dev, unknown[i]), ENOENT);
		CHECK_SAYS(NIC0);
	}
	CHECK_EQ(fake_attached(NIC0), 0);
}

/* An IOASID is a number in one context only. */
static void
attach_to_an_ioasid_of_another_context(void **state)
{
	struct ioasid_ctx *second;
	uint32_t foreign;

	(void)state;
	dev = join(NIC0);
	CHECK_OK(ioasid_open(NULL, &second));
	CHECK_OK(ioasid_alloc(second, &foreign));
	while (foreign <= ioasid_device_id(dev))
		CHECK_OK(ioasid_alloc(second, &foreign));
	CHECK_ERR(ioasid_attach(dev, foreign), ENOENT);
	ioasid_close(second);
}

static void
attach_again_to_the_same(void **state)
{
	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	attach(dev, ioas);
	CHECK_EQ(fake_attached(NIC0), ioas);
	CHECK_OK(ioasid_detach(dev));
	CHECK_EQ(fake_attached(NIC0), 0);
}

static void
two_devices_share_an_ioasid(void **state)
{
	struct ioasid_device *other;

	(void)state;
	dev = join(NIC0);
	other = join(NIC1);
	attach(dev, ioas);
	attach(other, ioas);
	map(0, PAGE);
	CHECK_EQ(fake_pinned(), PAGE);
	ioasid_leave(dev);
	CHECK_EQ(fake_attached(NIC1), ioas);
	CHECK_EQ(fake_pinned(), PAGE);
}

static void
attach_after_the_device_was_unplugged(void **state)
{
	(void)state;
	dev = join(NIC0);
	fake_unplug(NIC0);
	CHECK_ERR(ioasid_attach(dev, ioas), ENODEV);
	CHECK_SAYS(NIC0);
	CHECK_EQ(fake_count(KABI_ATTACH), 0);
}

static void
attach_after_the_group_has_gone(void **state)
{
	(void)state;
	dev = join(NIC0);
	fake_sysfs_write(NIC0, "iommu_group", NULL);
	CHECK_ERR(ioasid_attach(dev, ioas), ENOENT);
	CHECK_SAYS(NIC0);
	CHECK_EQ(fake_count(KABI_ATTACH), 0);
}

/* Maps that are there before the device is */

static void
attach_over_a_map_in_a_reserved_region(void **state)
{
	const uint64_t iovas[] = {
		MSI_START - PAGE,
		MSI_START,
		MSI_LAST + 1 - PAGE,
	};

	(void)state;
	dev = join(NIC0);
	for (size_t i = 0; i < ARRAY_SIZE(iovas); i++) {
		map(iovas[i], 2 * PAGE);
		CHECK_ERR(ioasid_attach(dev, ioas), EADDRINUSE);
		CHECK_SAYS(NIC0);
		CHECK_SAYS("0xfee00000-0xfeefffff (msi)");
		CHECK_EQ(ioasid_device_ioasid(dev), 0);
		CHECK_EQ(fake_attached(NIC0), 0);
		CHECK_OK(ioasid_unmap(ctx, ioas, iovas[i], 2 * PAGE));
	}
	map(MSI_START - PAGE, PAGE);
	map(MSI_LAST + 1, PAGE);
	attach(dev, ioas);
}

static void
attach_over_a_map_that_touches_a_region_by_one_byte(void **state)
{
	const uint64_t iovas[] = { 0x10000, 0x20000 };

	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions",
			 "0x10000 0x10000 reserved\n0x20fff 0x20fff reserved\n");
	dev = join(NIC0);
	for (size_t i = 0; i < ARRAY_SIZE(iovas); i++) {
		map(iovas[i], PAGE);
		CHECK_ERR(ioasid_attach(dev, ioas), EADDRINUSE);
		CHECK_OK(ioasid_unmap(ctx, ioas, iovas[i], PAGE));
	}
	map(0xf000, PAGE);
	map(0x11000, PAGE);
	map(0x21000, PAGE);
	attach(dev, ioas);
}

/* The region is the disk controller's, which is not the one that attaches. */
static void
attach_over_a_map_in_a_siblings_reserved_region(void **state)
{
	(void)state;
	dev = join(GROUP_NIC);
	join(GROUP_HD);
	map(HD_START, PAGE);
	CHECK_ERR(ioasid_attach(dev, ioas), EADDRINUSE);
	CHECK_SAYS(GROUP_NIC);
	CHECK_SAYS("0x40000000-0x4fffffff (reserved)");
	CHECK_EQ(fake_count(KABI_ATTACH), 0);
	CHECK_OK(ioasid_unmap(ctx, ioas, HD_START, PAGE));
	attach(dev, ioas);
}

static void
attach_over_a_map_in_a_relaxable_region(void **state)
{
	(void)state;
	dev = join(GROUP_NIC);
	join(GROUP_HD);
	map(RELAXABLE_START, PAGE);
	map(RELAXABLE_LAST + 1 - PAGE, PAGE);
	attach(dev, ioas);
}

static void
attach_over_a_map_outside_the_aperture(void **state)
{
	(void)state;
	fake_machine.aperture_last = (UINT64_C(1) << 39) - 1;
	dev = join(NIC0);
	map(UINT64_C(1) << 39, PAGE);
	CHECK_ERR(ioasid_attach(dev, ioas), EADDRINUSE);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("cannot reach");
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	CHECK_EQ(fake_attached(NIC0), 0);
}

static void
attach_with_more_mapped_than_may_be_pinned(void **state)
{
	(void)state;
	fake_machine.memlock = 3 * PAGE;
	dev = join(NIC0);
	map(0, 2 * PAGE);
	map(8 * PAGE, 2 * PAGE);
	CHECK_ERR(ioasid_attach(dev, ioas), ENOMEM);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("RLIMIT_MEMLOCK");
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK_EQ(fake_pinned(), 0);
	CHECK_OK(ioasid_unmap(ctx, ioas, 0, 2 * PAGE));
	attach(dev, ioas);
}

static void
attach_with_a_map_of_memory_that_has_gone(void **state)
{
	(void)state;
	dev = join(NIC0);
	map(PAGE, PAGE);
	fake_machine.bad_va = VA + PAGE;
	CHECK_ERR(ioasid_attach(dev, ioas), EFAULT);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("gone from the process");
	CHECK_EQ(fake_attached(NIC0), 0);
}

/* Moving */

static void
move_in_one_step(void **state)
{
	const uint32_t second = alloc();

	(void)state;
	dev = join(NIC0);
	map(0, PAGE);
	attach(dev, ioas);
	attach(dev, second);
	CHECK_EQ(fake_attached(NIC0), second);
	CHECK_EQ(ioasid_device_ioasid(dev), second);
	CHECK_EQ(fake_count(KABI_DETACH), 0);
	CHECK_EQ(fake_pinned(), 0);
	/* The old one is free, the new one is not. */
	CHECK_ERR(ioasid_free(ctx, second), EBUSY);
	CHECK_OK(ioasid_free(ctx, ioas));
}

static void
move_takes_the_group_along(void **state)
{
	const uint32_t second = alloc();
	struct ioasid_device *hd;

	(void)state;
	dev = join(GROUP_NIC);
	hd = join(GROUP_HD);
	attach(dev, ioas);
	attach(hd, ioas);
	attach(dev, second);
	CHECK_EQ(fake_attached(GROUP_HD), second);
	CHECK_EQ(ioasid_device_ioasid(hd), second);
	/* So its reserved regions bind the new IOASID, and no longer the old. */
	CHECK_ERR(ioasid_map(ctx, second, VA, HD_START, PAGE, RW), EADDRINUSE);
	map(HD_START, PAGE);
}

/* A member that has joined but is not attached follows no move. */
static void
move_leaves_the_unattached_alone(void **state)
{
	const uint32_t second = alloc();
	struct ioasid_device *hd, *other;

	(void)state;
	dev = join(GROUP_NIC);
	hd = join(GROUP_HD);
	other = join(NIC0);
	attach(dev, ioas);
	attach(other, ioas);
	attach(dev, second);
	CHECK_EQ(ioasid_device_ioasid(hd), 0);
	CHECK_EQ(ioasid_device_ioasid(other), ioas);
	CHECK_EQ(fake_attached(GROUP_HD), 0);
	CHECK_EQ(fake_attached(NIC0), ioas);
}

static void
member_attaches_only_where_its_group_is(void **state)
{
	const uint32_t second = alloc();
	struct ioasid_device *hd;

	(void)state;
	dev = join(GROUP_NIC);
	hd = join(GROUP_HD);
	attach(dev, ioas);
	CHECK_ERR(ioasid_attach(hd, second), EINVAL);
	CHECK_SAYS(GROUP_HD);
	CHECK_SAYS("another IOASID");
	CHECK_EQ(ioasid_device_ioasid(hd), 0);
	CHECK_EQ(ioasid_device_ioasid(dev), ioas);
	attach(hd, ioas);
}

static void
move_that_fails_leaves_the_device_where_it_was(void **state)
{
	const uint32_t second = alloc();

	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	map(0, PAGE);
	CHECK_OK(ioasid_map(ctx, second, VA, MSI_START, PAGE, RW));
	CHECK_ERR(ioasid_attach(dev, second), EADDRINUSE);
	CHECK_EQ(ioasid_device_ioasid(dev), ioas);
	CHECK_OK(ioasid_unmap(ctx, second, MSI_START, PAGE));
	fake_fail(KABI_ATTACH, 1, EBUSY);
	CHECK_ERR(ioasid_attach(dev, second), EBUSY);
	CHECK_EQ(ioasid_device_ioasid(dev), ioas);
	CHECK_EQ(fake_attached(NIC0), ioas);
	CHECK_EQ(fake_pinned(), PAGE);
	/* Still bound by the regions of the device that did not move. */
	CHECK_ERR(ioasid_map(ctx, ioas, VA, MSI_START, PAGE, RW), EADDRINUSE);
}

/* DETACH and LEAVE */

static void
detach_keeps_the_device_joined(void **state)
{
	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	CHECK_OK(ioasid_detach(dev));
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK(fake_is_bound(NIC0));
	attach(dev, ioas);
	CHECK_EQ(fake_attached(NIC0), ioas);
}

static void
detach_of_an_unattached_device_does_nothing(void **state)
{
	(void)state;
	dev = join(NIC0);
	CHECK_OK(ioasid_detach(dev));
	CHECK_EQ(fake_count(KABI_DETACH), 0);
	attach(dev, ioas);
	CHECK_OK(ioasid_detach(dev));
	CHECK_OK(ioasid_detach(dev));
	CHECK_EQ(fake_count(KABI_DETACH), 1);
}

static void
detach_refused_by_the_kernel(void **state)
{
	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	fake_fail(KABI_DETACH, 1, EIO);
	CHECK_ERR(ioasid_detach(dev), EIO);
	CHECK_SAYS(NIC0);
	CHECK_EQ(ioasid_device_ioasid(dev), ioas);
}

static void
detach_frees_the_reserved_regions(void **state)
{
	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	CHECK_ERR(ioasid_map(ctx, ioas, VA, MSI_START, PAGE, RW), EADDRINUSE);
	CHECK_OK(ioasid_detach(dev));
	map(MSI_START, PAGE);
}

static void
leave_detaches_unbinds_and_closes(void **state)
{
	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	ioasid_leave(dev);
	check_not_joined(NIC0);
	CHECK_EQ(fake_count(KABI_DETACH), 1);
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK_OK(ioasid_free(ctx, ioas));
}

static void
leave_with_a_detach_that_fails_closes_all_the_same(void **state)
{
	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	fake_fail(KABI_DETACH, 1, EIO);
	ioasid_leave(dev);
	check_not_joined(NIC0);
}

static void
leave_of_null_does_nothing(void **state)
{
	(void)state;
	ioasid_leave(NULL);
	CHECK_EQ(fake_open_files(), 1);
}

static void
maps_stay_when_the_last_device_leaves(void **state)
{
	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	map(0, PAGE);
	ioasid_leave(dev);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 1);
	CHECK_EQ(ioasid_mapped_bytes(ctx), PAGE);
	dev = join(NIC0);
	attach(dev, ioas);
	CHECK_EQ(fake_pinned(), PAGE);
}

/* Whichever call of JOIN and ATTACH fails, with whatever: nothing of it is left. */

static const int plausible[] = {
	EPERM,  ENOENT, EIO,    EBADF,  ENOMEM, EACCES, EFAULT,     EBUSY,     EEXIST,
	ENODEV, EINVAL, ENFILE, EMFILE, ENOTTY, ENOSPC, EADDRINUSE, ETIMEDOUT, EBADFD,
};

static int
join_and_attach(void)
{
	int ret = ioasid_join(ctx, fake_sysfs(), NIC0, 0, &dev);

	if (ret < 0)
		return ret;
	ret = ioasid_attach(dev, ioas);
	if (ret == 0)
		return 0;
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	CHECK_EQ(fake_attached(NIC0), 0);
	ioasid_leave(dev);
	return ret;
}

static void
every_call_of_join_and_attach_fails(void **state)
{
	unsigned int calls = 0;

	(void)state;
	map(0, PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(plausible); i++) {
		for (calls = 0;; calls++) {
			int ret;

			fake_fail(FAKE_ANY, calls + 1, plausible[i]);
			ret = join_and_attach();
			if (fake_fail_clear() == 0) {
				CHECK_OK(ret);
				break;
			}
			CHECK(ret < 0);
			CHECK_SAYS(NIC0);
			check_not_joined(NIC0);
			CHECK_EQ(fake_pinned(), 0);
		}
		ioasid_leave(dev);
	}
	/* open, fstat, BIND, ATTACH */
	CHECK_EQ(calls, 4);
}

static int
open_and_map(struct ioasid_ctx **opened)
{
	uint32_t id;
	int ret = ioasid_open(NULL, opened);

	if (ret < 0)
		return ret;
	ret = ioasid_alloc(*opened, &id);
	if (ret == 0)
		ret = ioasid_map(*opened, id, VA, 0, PAGE, RW);
	ioasid_close(*opened);
	return ret;
}

static void
every_call_of_open_and_map_fails(void **state)
{
	struct ioasid_ctx *opened = NULL;
	unsigned int calls = 0;

	(void)state;
	fake_machine.has_alias = true;
	for (size_t i = 0; i < ARRAY_SIZE(plausible); i++) {
		for (calls = 0;; calls++) {
			int ret;

			fake_fail(FAKE_ANY, calls + 1, plausible[i]);
			ret = open_and_map(&opened);
			if (fake_fail_clear() == 0) {
				CHECK_OK(ret);
				break;
			}
			/*
			 * A missing /dev/ioasid is no failure: there is /dev/iommu. Neither
			 * is a kernel that cannot map by file.
			 */
			CHECK(ret < 0 || (calls == 0 && plausible[i] == ENOENT) || calls == 2);
			CHECK_EQ(fake_open_files(), 0);
		}
	}
	/* open, two probes, IOAS_ALLOC, MAP */
	CHECK_EQ(calls, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(join_binds_the_device),
		TEST(what_a_joined_device_says_of_itself),
		TEST(join_copies_the_strings),
		TEST(join_twice),
		TEST(join_again_after_leave),
		TEST(join_with_unknown_flags),
		TEST(join_of_no_device),
		TEST(join_of_an_overlong_name),
		TEST(join_of_a_device_not_on_vfio),
		TEST(join_of_a_device_without_iommu),
		TEST(join_with_a_strange_group),
		TEST(join_by_a_stale_node),
		TEST(join_when_the_node_has_no_number),
		TEST(join_when_sysfs_has_no_number),
		TEST(join_on_a_kernel_without_cdevs),
		TEST(join_with_the_legacy_group_open),
		TEST(join_off_the_default_domain),
		TEST(join_without_isolated_interrupts),
		TEST(join_where_the_platform_forbids_it),
		TEST(join_with_a_sibling_on_a_kernel_driver),
		TEST(join_with_a_driver_on_the_bridge),
		TEST(join_in_another_context),
		TEST(join_with_a_sibling_in_another_context),
		TEST(attach_joined_device),
		TEST(attach_pins_the_maps_and_detach_unpins),
		TEST(attach_to_unknown_ioasid),
		TEST(attach_to_an_ioasid_of_another_context),
		TEST(attach_again_to_the_same),
		TEST(two_devices_share_an_ioasid),
		TEST(attach_after_the_device_was_unplugged),
		TEST(attach_after_the_group_has_gone),
		TEST(attach_over_a_map_in_a_reserved_region),
		TEST(attach_over_a_map_that_touches_a_region_by_one_byte),
		TEST(attach_over_a_map_in_a_siblings_reserved_region),
		TEST(attach_over_a_map_in_a_relaxable_region),
		TEST(attach_over_a_map_outside_the_aperture),
		TEST(attach_with_more_mapped_than_may_be_pinned),
		TEST(attach_with_a_map_of_memory_that_has_gone),
		TEST(move_in_one_step),
		TEST(move_takes_the_group_along),
		TEST(move_leaves_the_unattached_alone),
		TEST(member_attaches_only_where_its_group_is),
		TEST(move_that_fails_leaves_the_device_where_it_was),
		TEST(detach_keeps_the_device_joined),
		TEST(detach_of_an_unattached_device_does_nothing),
		TEST(detach_refused_by_the_kernel),
		TEST(detach_frees_the_reserved_regions),
		TEST(leave_detaches_unbinds_and_closes),
		TEST(leave_with_a_detach_that_fails_closes_all_the_same),
		TEST(leave_of_null_does_nothing),
		TEST(maps_stay_when_the_last_device_leaves),
		TEST(every_call_of_join_and_attach_fails),
		TEST_MACHINE(every_call_of_open_and_map_fails),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
