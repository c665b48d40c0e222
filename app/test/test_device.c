/* SPDX-License-Identifier: BSD-3-Clause */

/* JOIN, ATTACH, moving, DETACH, LEAVE. The all-joined rule is in test_rule.c. */

#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "sys.h"
#include "test.h"

static struct ioasid_device *dev;

/* Nothing of a device is left after a JOIN that failed. */
static void
check_not_joined(const char *bdf)
{
	CHECK(!fake_is_bound(bdf));
	CHECK_EQ(fake_open_files(), 1);
}

/* Nor is there a trace of it in the context. */
static void
check_nothing_joined(void)
{
	unsigned int total;

	CHECK_EQ(ioasid_list_devices(ctx, "", NULL, 0, &total), 0);
	CHECK_EQ(total, 0);
	CHECK_EQ(ioasid_list_groups(ctx, 0, NULL, 0, &total), 0);
	CHECK_EQ(total, 0);
	CHECK_EQ(fake_open_files(), 1);
	CHECK_EQ(fake_pinned(), 0);
}

static int
try_join(const char *bdf)
{
	struct ioasid_device *joined = NULL;

	return ioasid_join(ctx, fake_sysfs(), bdf, &joined);
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
	CHECK_OK(ioasid_join(ctx, sysfs, bdf, &dev));
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
		const struct ioasid_join_how how = { .flags = flags[i], .fd = -1 };

		CHECK_ERR(ioasid_join_with(ctx, fake_sysfs(), NIC0, &how, &dev), EINVAL);
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
	fake_sysfs_symlink(pci.bdf, "subsystem", "../../../bus/platform");
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

/* It was taken away and came back, in another group, before it was bound. */

static void
regroup(void)
{
	fake_sysfs_symlink(NIC0, "iommu_group", "../../../kernel/iommu_groups/12");
}

static void
join_of_a_device_that_changes_its_group(void **state)
{
	int given = fake_open_elsewhere("/dev/vfio/devices/vfio0", false);
	const struct ioasid_join_how how = { .fd = given };

	(void)state;
	fake_at(KABI_BIND, regroup);
	CHECK_ERR(try_join(NIC0), EPROTO);
	CHECK_SAYS(NIC0 ": went from IOMMU group 11 to 12");
	CHECK(!fake_is_bound(NIC0));
	CHECK_EQ(fake_open_files(), 2);
	/* In one that cannot be read it is no better. */
	fake_sysfs_symlink(NIC0, "iommu_group", "../../../kernel/iommu_groups/11");
	fake_fail(FAKE_READ_LINK, 5, EIO);
	CHECK_ERR(try_join(NIC0), EPROTO);
	CHECK_EQ(fake_fail_clear(), 1);
	CHECK(!fake_is_bound(NIC0));
	/* A descriptor that was given stays the giver's, who closes it. */
	fake_at(KABI_BIND, regroup);
	CHECK_ERR(ioasid_join_with(ctx, fake_sysfs(), NIC0, &how, &dev), EPROTO);
	CHECK_EQ(fake_open_files(), 2);
	ioasid_sys->close(given);
	check_nothing_joined();
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
	CHECK_OK(ioasid_open(NULL, NULL, &second));
	CHECK_OK(ioasid_join(second, fake_sysfs(), NIC0, &held));
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
	CHECK_OK(ioasid_open(NULL, NULL, &second));
	CHECK_OK(ioasid_join(second, fake_sysfs(), GROUP_HD, &held));
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
	CHECK_EQ(total_mapped(ctx), 5 * PAGE);
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
		CHECK_SAYS("IOMMU group 11: no IOASID ");
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
	CHECK_OK(ioasid_open(NULL, NULL, &second));
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
	fake_sysfs_write(NIC0, "../../../kernel/iommu_groups/11", NULL);
	CHECK_ERR(ioasid_attach(dev, ioas), ENOENT);
	CHECK_SAYS("IOMMU group 11");
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
		CHECK_SAYS("0xfee00000-0xfeefffff (msi) of IOMMU group 11");
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
	CHECK_SAYS("0x40000000-0x4fffffff (reserved) of IOMMU group 13");
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
	attach(dev, second);
	CHECK_EQ(fake_attached(GROUP_HD), second);
	CHECK_EQ(ioasid_device_ioasid(hd), second);
	/* In one step for all. */
	CHECK_EQ(fake_count(KABI_ATTACH), 3);
	CHECK_EQ(fake_count(KABI_DETACH), 0);
	/* So its reserved regions bind the new IOASID, and no longer the old. */
	CHECK_ERR(ioasid_map(ctx, second, VA, HD_START, PAGE, RW), EADDRINUSE);
	map(HD_START, PAGE);
}

static void
move_leaves_other_groups_alone(void **state)
{
	const uint32_t second = alloc();
	struct ioasid_device *other;

	(void)state;
	dev = join(GROUP_NIC);
	join(GROUP_HD);
	other = join(NIC0);
	attach(dev, ioas);
	attach(other, ioas);
	attach(dev, second);
	CHECK_EQ(ioasid_device_ioasid(other), ioas);
	CHECK_EQ(fake_attached(NIC0), ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), second);
}

/* Whichever member is attached: it is the group that goes there. */
static void
any_member_moves_its_group(void **state)
{
	const uint32_t second = alloc();
	struct ioasid_device *hd;

	(void)state;
	dev = join(GROUP_NIC);
	hd = join(GROUP_HD);
	attach(dev, ioas);
	attach(hd, second);
	CHECK_EQ(ioasid_device_ioasid(hd), second);
	CHECK_EQ(ioasid_device_ioasid(dev), second);
	CHECK_EQ(fake_attached(GROUP_NIC), second);
	CHECK_EQ(fake_attached(GROUP_HD), second);
	CHECK_OK(ioasid_free(ctx, ioas));
}

/* One that joins a group that is attached is where its group is, and goes along. */
static void
member_joins_an_attached_group(void **state)
{
	const uint32_t second = alloc();
	struct ioasid_device *hd;

	(void)state;
	dev = join_implicit(GROUP_NIC);
	attach(dev, ioas);
	hd = join(GROUP_HD);
	CHECK_EQ(ioasid_device_ioasid(hd), ioas);
	attach(hd, second);
	CHECK_EQ(ioasid_device_ioasid(dev), second);
	CHECK_EQ(fake_attached(GROUP_HD), second);
	CHECK_EQ(fake_attached(GROUP_NIC), second);
}

/* All or none: one that the kernel does not attach takes the others back. */
static void
attach_of_a_group_that_fails_half_way(void **state)
{
	struct ioasid_device *hd;

	(void)state;
	map(0, PAGE);
	dev = join(GROUP_NIC);
	hd = join(GROUP_HD);
	fake_fail(KABI_ATTACH, 2, EBUSY);
	CHECK_ERR(ioasid_attach(dev, ioas), EBUSY);
	CHECK_SAYS(GROUP_HD ": ATTACH failed");
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	CHECK_EQ(ioasid_device_ioasid(hd), 0);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	CHECK_EQ(fake_attached(GROUP_HD), 0);
	CHECK_EQ(fake_pinned(), 0);
	map(MSI_START, PAGE);
	CHECK_OK(ioasid_unmap(ctx, ioas, MSI_START, PAGE));
	attach(hd, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
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
detach_is_of_the_whole_group(void **state)
{
	struct ioasid_device *hd;

	(void)state;
	map(0, PAGE);
	dev = join(GROUP_NIC);
	hd = join(GROUP_HD);
	attach(dev, ioas);
	CHECK_OK(ioasid_detach(hd));
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	CHECK_EQ(fake_attached(GROUP_HD), 0);
	CHECK(fake_is_bound(GROUP_NIC) && fake_is_bound(GROUP_HD));
	CHECK_EQ(fake_pinned(), 0);
	CHECK_OK(ioasid_free(ctx, ioas));
}

/* As long as one is attached the group is; the rest of it can be had by trying again. */
static void
detach_of_a_group_that_fails_half_way(void **state)
{
	struct ioasid_device *hd;

	(void)state;
	dev = join(GROUP_NIC);
	hd = join(GROUP_HD);
	for (unsigned int nth = 1; nth <= 2; nth++) {
		attach(dev, ioas);
		fake_fail(KABI_DETACH, nth, EIO);
		CHECK_ERR(ioasid_detach(dev), EIO);
		CHECK_EQ(ioasid_device_ioasid(dev), ioas);
		CHECK_EQ(ioasid_device_ioasid(hd), ioas);
		CHECK_EQ((fake_attached(GROUP_NIC) != 0) + (fake_attached(GROUP_HD) != 0), 1);
		CHECK_ERR(ioasid_map(ctx, ioas, VA, HD_START, PAGE, RW), EADDRINUSE);
		CHECK_ERR(ioasid_free(ctx, ioas), EBUSY);
		CHECK_OK(ioasid_detach(dev));
		CHECK_EQ(ioasid_device_ioasid(dev), 0);
		CHECK_EQ(fake_attached(GROUP_NIC) + fake_attached(GROUP_HD), 0);
	}
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

/* LEAVE while another of the group is in use: it is held, and harmless */

static void
check_held(const char *bdf, bool held)
{
	struct ioasid_device_info info;

	CHECK_OK(ioasid_find_device(ctx, bdf, &info));
	CHECK_EQ(info.held, held);
	CHECK(fake_is_bound(bdf));
}

static void
leave_with_a_sibling_in_use(void **state)
{
	struct ioasid_device *hd;
	int fd;

	(void)state;
	dev = join(GROUP_NIC);
	hd = join(GROUP_HD);
	fd = ioasid_device_fd(hd);
	attach(dev, ioas);
	fake_set_bus_master(GROUP_HD, true);
	fake_set_bus_master(GROUP_NIC, true);
	ioasid_leave(hd);
	check_held(GROUP_HD, true);
	CHECK(!fake_is_bus_master(GROUP_HD));
	CHECK_EQ(fake_resets(GROUP_HD), 1);
	CHECK_EQ(fake_count(VFIO_DEVICE_SET_IRQS), VFIO_PCI_NUM_IRQS);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	/* Nothing is done to the other. */
	CHECK(fake_is_bus_master(GROUP_NIC));
	CHECK_EQ(fake_resets(GROUP_NIC), 0);
	check_held(GROUP_NIC, false);
	/* Handed over: the same node, bound all the time. */
	hd = join(GROUP_HD);
	CHECK_EQ(ioasid_device_fd(hd), fd);
	CHECK_EQ(fake_count(KABI_BIND), 2);
	check_held(GROUP_HD, false);
	CHECK_EQ(ioasid_device_ioasid(hd), ioas);
	CHECK_ERR(try_join(GROUP_HD), EEXIST);
}

static void
last_one_in_use_takes_all_along(void **state)
{
	const char *const bdfs[] = { GROUP_NIC, GROUP_HD };
	struct ioasid_device *devs[2];

	(void)state;
	for (unsigned int first = 0; first < 2; first++) {
		for (unsigned int i = 0; i < 2; i++)
			devs[i] = join(bdfs[i]);
		attach(devs[0], ioas);
		ioasid_leave(devs[first]);
		check_held(bdfs[first], true);
		ioasid_leave(devs[!first]);
		check_nothing_joined();
		CHECK(!fake_is_bound(GROUP_NIC) && !fake_is_bound(GROUP_HD));
	}
	CHECK_OK(ioasid_free(ctx, ioas));
}

/* Also where nothing is attached: it is the group that must stay together. */
static void
leave_with_a_sibling_in_use_before_attach(void **state)
{
	(void)state;
	dev = join(GROUP_NIC);
	ioasid_leave(join(GROUP_HD));
	check_held(GROUP_HD, true);
	CHECK_EQ(fake_resets(GROUP_HD), 1);
	attach(dev, ioas);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	/* Those of other groups hold nobody. */
	join(NIC0);
	ioasid_leave(dev);
	CHECK(!fake_is_bound(GROUP_NIC) && !fake_is_bound(GROUP_HD));
}

static void
held_devices_go_with_the_context(void **state)
{
	(void)state;
	dev = join(GROUP_NIC);
	ioasid_leave(join(GROUP_HD));
	attach(dev, ioas);
	ioasid_close(ctx);
	ctx = NULL;
	CHECK_EQ(fake_open_files(), 0);
	CHECK(!fake_is_bound(GROUP_NIC) && !fake_is_bound(GROUP_HD));
}

/* One on its way out cannot be handed over; what is left of it is closed. */
static void
held_device_that_is_unplugged(void **state)
{
	(void)state;
	dev = join(GROUP_NIC);
	ioasid_leave(join(GROUP_HD));
	fake_unplug(GROUP_HD);
	CHECK_ERR(try_join(GROUP_HD), ENODEV);
	ioasid_yield(ctx, GROUP_HD);
	CHECK_EQ(fake_open_files(), 2);
	attach(dev, ioas);
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
	CHECK_EQ(total_mapped(ctx), PAGE);
	dev = join(NIC0);
	attach(dev, ioas);
	CHECK_EQ(fake_pinned(), PAGE);
}

/* What VFIO says and is asked */

static void
request_of_the_kernel_is_signalled(void **state)
{
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	eventfd_t n = 0;

	(void)state;
	dev = join(NIC0);
	CHECK(!fake_request(NIC0));
	CHECK_OK(ioasid_device_on_request(dev, event));
	CHECK(fake_request(NIC0));
	CHECK_EQ(eventfd_read(event, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_OK(ioasid_device_on_request(dev, -1));
	CHECK(!fake_request(NIC0));
	close(event);
}

static void
vfio_info_of_a_descriptor(void **state)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	(void)state;
	dev = join(NIC0);
	CHECK_OK(ioasid_vfio_info(ioasid_device_fd(dev), NIC0, &info));
	CHECK(info.flags & VFIO_DEVICE_FLAGS_PCI);
	CHECK_ERR(ioasid_vfio_info(4999, NIC0, &info), EBADF);
	CHECK_SAYS(NIC0 ": ask VFIO failed");
}

/* A group by itself */

static const char *named[2];
static unsigned int not_joined;

static bool
is_named(const struct ioasid_member *m, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		if (named[i] != NULL && strcmp(named[i], m->bdf) == 0)
			return true;
	return false;
}

static void
count_reports(const struct ioasid_report *report, void *arg)
{
	(void)arg;
	not_joined += report->news == IOASID_NEWS_NOT_JOINED;
}

static struct ioasid_group *group;
static uint32_t second_ioas;

static int
setup_group(void **state)
{
	const struct ioasid_policy policy = { .named = is_named, .report = count_reports };

	named[0] = GROUP_NIC;
	named[1] = GROUP_HD;
	not_joined = 0;
	setup_machine(state);
	if (ioasid_open(NULL, &policy, &ctx) < 0 || ioasid_alloc(ctx, &ioas) < 0)
		return -1;
	return ioasid_alloc(ctx, &second_ioas);
}

#define TEST_GROUP(f) cmocka_unit_test_setup_teardown(f, setup_group, teardown)

static int
open_group(void)
{
	return ioasid_group_open(ctx, fake_sysfs(), THE_GROUP, &group);
}

static void
close_group(void)
{
	ioasid_group_close(group);
}

static void
open_group_joins_the_named(void **state)
{
	(void)state;
	CHECK_OK(open_group());
	CHECK_EQ(ioasid_group_get_number(group), THE_GROUP);
	CHECK(!ioasid_group_in_use(group));
	check_held(GROUP_NIC, true);
	check_held(GROUP_HD, true);
	CHECK_EQ(fake_count(KABI_ATTACH), 0);
	dev = join(GROUP_NIC);
	CHECK(ioasid_group_in_use(group));
	CHECK_EQ(fake_count(KABI_BIND), 2);
	/* As long as it is open, nobody gets what nobody uses. */
	ioasid_leave(dev);
	CHECK(!ioasid_group_in_use(group));
	check_held(GROUP_NIC, true);
	close_group();
	check_nothing_joined();
	ioasid_group_close(NULL);
}

static void
open_group_without_a_named_member(void **state)
{
	(void)state;
	named[0] = named[1] = NULL;
	CHECK_ERR(open_group(), ENODEV);
	CHECK_SAYS("IOMMU group 13");
	check_nothing_joined();
	/* One that is in use already will do. */
	dev = join(GROUP_NIC);
	CHECK_OK(open_group());
	close_group();
	check_held(GROUP_NIC, false);
}

static void
open_group_whose_members_cannot_join(void **state)
{
	(void)state;
	fake_fail(KABI_BIND, 1, EBUSY);
	fake_fail(KABI_BIND, 2, EBUSY);
	CHECK_ERR(open_group(), ENODEV);
	CHECK_EQ(not_joined, 2);
	check_nothing_joined();
	/* One is enough. */
	fake_fail(KABI_BIND, 2, EBUSY);
	CHECK_OK(open_group());
	CHECK_EQ(not_joined, 3);
	close_group();
	check_nothing_joined();
}

static void
open_of_no_group(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_group_open(ctx, fake_sysfs(), 999, &group), ENOENT);
	CHECK_SAYS("999");
	check_nothing_joined();
}

static void
open_of_an_unreadable_group(void **state)
{
	(void)state;
	fake_sysfs_write(GROUP_HD, "class", "");
	CHECK_ERR(open_group(), EPROTO);
	check_nothing_joined();
}

static void
group_opened_twice(void **state)
{
	struct ioasid_group *first;

	(void)state;
	CHECK_OK(open_group());
	first = group;
	CHECK_OK(open_group());
	CHECK(group == first);
	close_group();
	check_held(GROUP_HD, true);
	close_group();
	check_nothing_joined();
}

static void
close_leaves_a_device_in_use(void **state)
{
	(void)state;
	CHECK_OK(open_group());
	dev = join(GROUP_NIC);
	attach(dev, ioas);
	close_group();
	check_held(GROUP_NIC, false);
	check_held(GROUP_HD, true);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	ioasid_leave(dev);
	check_nothing_joined();
}

/* Nobody uses it, so it is attached nowhere; but when somebody does, it is there. */
static void
bound_group_is_attached_where_it_is_bound(void **state)
{
	(void)state;
	CHECK_OK(open_group());
	CHECK_OK(ioasid_group_bind(group, second_ioas));
	CHECK_EQ(fake_count(KABI_ATTACH), 0);
	dev = join(GROUP_NIC);
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	attach(dev, ioas);
	CHECK_EQ(ioasid_device_ioasid(dev), second_ioas);
	CHECK_EQ(fake_attached(GROUP_HD), second_ioas);
	/* The last one that leaves lets its DMA end, and the group open. */
	ioasid_leave(dev);
	check_held(GROUP_NIC, true);
	CHECK_EQ(fake_attached(GROUP_NIC) + fake_attached(GROUP_HD), 0);
	CHECK_EQ(fake_pinned(), 0);
	dev = join(GROUP_HD);
	attach(dev, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), second_ioas);
}

static void
bind_of_a_group_in_use_attaches_or_moves_it(void **state)
{
	(void)state;
	CHECK_OK(open_group());
	dev = join(GROUP_NIC);
	CHECK_OK(ioasid_group_bind(group, ioas));
	CHECK_EQ(ioasid_device_ioasid(dev), ioas);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	/* Bound to another, it is there and no more where it was. */
	CHECK_OK(ioasid_group_bind(group, second_ioas));
	CHECK_EQ(fake_attached(GROUP_NIC), second_ioas);
	CHECK_EQ(fake_count(KABI_DETACH), 0);
	attach(dev, ioas);
	CHECK_EQ(fake_attached(GROUP_HD), second_ioas);
	CHECK_OK(ioasid_group_bind(group, ioas));
	CHECK_OK(ioasid_group_bind(group, ioas));
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_OK(ioasid_group_unbind(group));
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	CHECK_EQ(fake_attached(GROUP_NIC) + fake_attached(GROUP_HD), 0);
	/* Bound no more, it goes where it is attached; and moves in one step. */
	attach(dev, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_OK(ioasid_group_bind(group, second_ioas));
	CHECK_EQ(fake_attached(GROUP_NIC), second_ioas);
	CHECK_EQ(fake_attached(GROUP_HD), second_ioas);
	CHECK_EQ(fake_count(KABI_DETACH), 2);
}

static void
bind_that_fails_leaves_all_as_it_was(void **state)
{
	(void)state;
	named[1] = NULL;
	CHECK_OK(open_group());
	dev = join(GROUP_NIC);
	CHECK_ERR(ioasid_group_bind(group, second_ioas), EPERM);
	CHECK_SAYS("the first " GROUP_HD);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	/* It is not bound by that. */
	join(GROUP_HD);
	attach(dev, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	fake_fail(KABI_ATTACH, 1, EBUSY);
	CHECK_ERR(ioasid_group_bind(group, second_ioas), EBUSY);
	CHECK_EQ(ioasid_device_ioasid(dev), ioas);
	attach(dev, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_OK(ioasid_group_bind(group, second_ioas));
}

static void
bind_to_unknown_ioasid(void **state)
{
	(void)state;
	CHECK_OK(open_group());
	/* The kernel would give the number out, and the group with it. */
	CHECK_ERR(ioasid_group_bind(group, 99), ENOENT);
	CHECK_SAYS("IOASID 99");
	dev = join(GROUP_NIC);
	CHECK_ERR(ioasid_group_bind(group, 99), ENOENT);
	attach(dev, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
}

static void
unbind_refused_by_the_kernel(void **state)
{
	(void)state;
	CHECK_OK(open_group());
	dev = join(GROUP_NIC);
	CHECK_OK(ioasid_group_bind(group, second_ioas));
	fake_fail(KABI_DETACH, 1, EIO);
	CHECK_ERR(ioasid_group_unbind(group), EIO);
	attach(dev, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), second_ioas);
	CHECK_OK(ioasid_group_unbind(group));
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
}

/* The members' risk is that of whoever joined with it. */
static void
bind_with_the_risk_accepted(void **state)
{
	(void)state;
	named[1] = NULL;
	CHECK_OK(open_group());
	dev = join_implicit(GROUP_NIC);
	CHECK_OK(ioasid_group_bind(group, second_ioas));
	CHECK_EQ(fake_attached(GROUP_NIC), second_ioas);
}

/*
 * Whichever call fails, of the kernel or of sysfs, with whatever: it is told, all is as it
 * was before, and the same thing then succeeds.
 */

static const int plausible[] = {
	EPERM,  ENOENT, EIO,    EBADF,  ENOMEM, EACCES, EFAULT,     EBUSY,     EEXIST,
	ENODEV, EINVAL, ENFILE, EMFILE, ENOTTY, ENOSPC, EADDRINUSE, ETIMEDOUT, EBADFD,
};

static int
join_and_attach(void)
{
	int ret = ioasid_join(ctx, fake_sysfs(), NIC0, &dev);

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

/* By its name, or that of its group. */
static bool
sentence_has_a_subject(void)
{
	return strstr(ioasid_error(), NIC0) != NULL ||
	       strstr(ioasid_error(), "iommu_groups/11/") != NULL;
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
			/* What is not there is told: no driver, no name of the group. */
			if (ret == 0) {
				CHECK_EQ(plausible[i], ENOENT);
				ioasid_leave(dev);
			} else {
				CHECK(sentence_has_a_subject());
			}
			check_not_joined(NIC0);
			check_nothing_joined();
		}
		ioasid_leave(dev);
	}
	/*
	 * The number of the group (2), the group (9), the node's number, open, the number again,
	 * fstat, BIND, the group's number again (2); the group, ATTACH, the group.
	 */
	CHECK_EQ(calls, 2 + 9 + 5 + 2 + 9 + 1 + 9);
}

/* How things stand, as the kernel has it and as the context says. */
struct standing {
	unsigned int files, left, joined, groups;
	uint32_t nic_at, hd_at, said;
	uint64_t pinned;
};

static struct standing
look(void)
{
	struct standing now = {
		.files = fake_open_files(),
		.left = fake_left(),
		.nic_at = fake_attached(GROUP_NIC),
		.hd_at = fake_attached(GROUP_HD),
		.pinned = fake_pinned(),
	};
	struct ioasid_device_info info = { .ioasid = 0 };

	ioasid_list_devices(ctx, "", NULL, 0, &now.joined);
	ioasid_list_groups(ctx, 0, NULL, 0, &now.groups);
	if (ioasid_find_device(ctx, GROUP_NIC, &info) == 0)
		now.said = info.ioasid;
	return now;
}

static void
check_same(const struct standing *a)
{
	const struct standing b = look();

	CHECK_EQ(a->files, b.files);
	CHECK_EQ(a->left, b.left);
	CHECK_EQ(a->joined, b.joined);
	CHECK_EQ(a->groups, b.groups);
	CHECK_EQ(a->nic_at, b.nic_at);
	CHECK_EQ(a->hd_at, b.hd_at);
	CHECK_EQ(a->said, b.said);
	CHECK_EQ(a->pinned, b.pinned);
}

/* With EIO: what comes of it if it is sysfs that cannot be read, or the kernel that fails. */
static bool
is_errno_of(int ret, int err)
{
	return ret == -err || ret == -EPROTO;
}

/*
 * Gives how many calls it takes. `undo` ends the success, in the state of before.
 * half_way: what a failure leaves is not the same, but the call can be made again.
 */
static unsigned int
fail_every_call(int (*call)(void), void (*undo)(void), int err, bool half_way)
{
	for (unsigned int n = 1;; n++) {
		const struct standing before = look();
		int ret;

		CHECK_ERR(ioasid_free(ctx, 98765), ENOENT);
		fake_fail(FAKE_ANY, n, err);
		ret = call();
		if (fake_fail_clear() == 0) {
			CHECK_OK(ret);
			undo();
			check_same(&before);
			return n - 1;
		}
		print_message("call %u: %s\n", n, strerror(err));
		CHECK(is_errno_of(ret, err));
		/* A sentence of its own. */
		CHECK(ioasid_error()[0] != '\0');
		CHECK(strstr(ioasid_error(), "98765") == NULL);
		CHECK_EQ(fake_exposed(NULL, 0), 0);
		if (!half_way)
			check_same(&before);
		CHECK_OK(call());
		undo();
		check_same(&before);
	}
}

static const int kinds_of_failure[] = { EIO, ENOMEM };

/* Gives how many calls it takes. */
static unsigned int
fail_all(int (*call)(void), void (*undo)(void), bool half_way)
{
	unsigned int calls = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds_of_failure); i++)
		calls = fail_every_call(call, undo, kinds_of_failure[i], half_way);
	return calls;
}

static struct ioasid_device *hd_dev;

static int
join_hd(void)
{
	return ioasid_join(ctx, fake_sysfs(), GROUP_HD, &hd_dev);
}

static void
leave_hd(void)
{
	ioasid_leave(hd_dev);
}

static int
attach_first(void)
{
	return ioasid_attach(dev, ioas);
}

static int
attach_second(void)
{
	return ioasid_attach(dev, second_ioas);
}

static int
detach_dev(void)
{
	return ioasid_detach(dev);
}

static int
check_dev(void)
{
	return ioasid_check(dev);
}

static void
undo_attach(void)
{
	CHECK_OK(ioasid_detach(dev));
}

static void
undo_detach(void)
{
	attach(dev, ioas);
}

static void
undo_nothing(void)
{
}

/* Sysfs is read for as much as it takes: a group of three members is 21 reads. */
#define READS_OF_GROUP 21

static void
setup_pair(void)
{
	second_ioas = alloc();
	map(0, PAGE);
	CHECK_OK(ioasid_map(ctx, second_ioas, VA, 0, 2 * PAGE, RW));
	dev = join(GROUP_NIC);
	hd_dev = join(GROUP_HD);
}

static void
every_call_of_a_members_join_fails(void **state)
{
	(void)state;
	CHECK_EQ(fail_all(join_hd, leave_hd, false), 2 + READS_OF_GROUP + 5 + 2);
	check_nothing_joined();
}

static void
every_call_of_a_groups_attach_fails(void **state)
{
	(void)state;
	setup_pair();
	CHECK_EQ(fail_all(attach_first, undo_attach, false), 2 * READS_OF_GROUP + 2);
}

static void
every_call_of_a_move_fails(void **state)
{
	(void)state;
	setup_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_all(attach_second, undo_detach, false), 2 * READS_OF_GROUP + 1);
}

static void
every_call_of_check_fails(void **state)
{
	(void)state;
	setup_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_all(check_dev, undo_nothing, false), READS_OF_GROUP);
}

static void
every_call_of_detach_fails(void **state)
{
	(void)state;
	setup_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_all(detach_dev, undo_detach, true), 2);
}

/* One that is held is handed over without anything but its group's number. */
static void
every_call_of_a_hand_over_fails(void **state)
{
	(void)state;
	setup_pair();
	leave_hd();
	CHECK_EQ(fail_all(join_hd, leave_hd, false), 2);
}

/*
 * LEAVE cannot fail: the device is held or has left, and if that is so it can join again.
 * The other is attached all the time.
 */
static void
every_call_of_leave_fails(void **state)
{
	unsigned int calls = 0;

	(void)state;
	setup_pair();
	attach(dev, ioas);
	for (size_t i = 0; i < ARRAY_SIZE(kinds_of_failure); i++) {
		for (calls = 1;; calls++) {
			const struct standing before = look();

			fake_fail(FAKE_ANY, calls, kinds_of_failure[i]);
			leave_hd();
			CHECK_EQ(fake_attached(GROUP_NIC), ioas);
			CHECK_EQ(ioasid_device_ioasid(dev), ioas);
			CHECK(fake_exposed(NULL, 0) == 0 || !fake_is_bound(GROUP_HD));
			if (fake_fail_clear() == 0)
				break;
			CHECK_OK(join_hd());
			attach(dev, ioas);
			check_same(&before);
		}
		check_held(GROUP_HD, true);
		CHECK_OK(join_hd());
	}
	/* Info, region, pread, pwrite, each interrupt, reset; then the group is looked at. */
	CHECK_EQ(calls - 1, 4 + VFIO_PCI_NUM_IRQS + 1 + READS_OF_GROUP);
}

static void
every_call_of_the_last_leave_fails(void **state)
{
	(void)state;
	for (unsigned int n = 1;; n++) {
		dev = join(GROUP_NIC);
		hd_dev = join(GROUP_HD);
		attach(dev, ioas);
		leave_hd();
		fake_fail(FAKE_ANY, n, EIO);
		ioasid_leave(dev);
		check_nothing_joined();
		if (fake_fail_clear() == 0) {
			/* DETACH, of each */
			CHECK_EQ(n, 3);
			break;
		}
	}
	CHECK_OK(ioasid_free(ctx, ioas));
}

/* Of a group by itself */

static int
bind_group(void)
{
	return ioasid_group_bind(group, second_ioas);
}

static int
unbind_group(void)
{
	return ioasid_group_unbind(group);
}

static void
undo_bind(void)
{
	CHECK_OK(ioasid_group_unbind(group));
}

static void
undo_unbind(void)
{
	CHECK_OK(ioasid_group_bind(group, second_ioas));
}

static void
undo_bind_of_attached(void)
{
	CHECK_OK(ioasid_group_unbind(group));
	attach(dev, ioas);
}

/*
 * That one of two named members cannot join is no failure, so here one is named, alone in its
 * group.
 */
static int
open_nic0(void)
{
	return ioasid_group_open(ctx, fake_sysfs(), NIC0_GROUP, &group);
}

static void
every_call_of_group_open_fails(void **state)
{
	unsigned int n;
	int ret;

	(void)state;
	named[0] = NIC0;
	for (n = 1;; n++) {
		fake_fail(FAKE_ANY, n, EIO);
		ret = open_nic0();
		if (fake_fail_clear() == 0)
			break;
		CHECK(ret == -EPROTO || (ret == -ENODEV && not_joined > 0));
		check_nothing_joined();
		CHECK_OK(open_nic0());
		close_group();
		check_nothing_joined();
	}
	CHECK_OK(ret);
	close_group();
	/* The group; and the node's number, open, the number, fstat, BIND, the group's number */
	CHECK_EQ(n - 1, 9 + 5 + 2);
}

static void
every_call_of_group_bind_fails(void **state)
{
	(void)state;
	CHECK_OK(ioasid_map(ctx, second_ioas, VA, 0, 2 * PAGE, RW));
	CHECK_OK(open_group());
	dev = join(GROUP_NIC);
	CHECK_EQ(fail_all(bind_group, undo_bind, false), 2 * READS_OF_GROUP + 2);
	attach(dev, ioas);
	CHECK_EQ(fail_all(bind_group, undo_bind_of_attached, false), 2 * READS_OF_GROUP + 1);
	/* Nobody uses it: then nothing is asked. */
	ioasid_leave(dev);
	CHECK_EQ(fail_all(bind_group, undo_bind, false), 0);
}

static void
every_call_of_group_unbind_fails(void **state)
{
	(void)state;
	CHECK_OK(open_group());
	dev = join(GROUP_NIC);
	CHECK_OK(bind_group());
	CHECK_EQ(fail_all(unbind_group, undo_unbind, true), 2);
}

static void
every_call_of_group_close_fails(void **state)
{
	(void)state;
	for (unsigned int n = 1;; n++) {
		CHECK_OK(open_group());
		fake_fail(FAKE_ANY, n, EIO);
		close_group();
		check_nothing_joined();
		if (fake_fail_clear() == 0)
			break;
	}
}

static int
open_and_map(struct ioasid_ctx **opened)
{
	uint32_t id;
	int ret = ioasid_open(NULL, NULL, opened);

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
		TEST(join_of_a_device_that_changes_its_group),
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
		TEST(move_leaves_other_groups_alone),
		TEST(any_member_moves_its_group),
		TEST(member_joins_an_attached_group),
		TEST(attach_of_a_group_that_fails_half_way),
		TEST(move_that_fails_leaves_the_device_where_it_was),
		TEST(detach_keeps_the_device_joined),
		TEST(detach_of_an_unattached_device_does_nothing),
		TEST(detach_refused_by_the_kernel),
		TEST(detach_is_of_the_whole_group),
		TEST(detach_of_a_group_that_fails_half_way),
		TEST(detach_frees_the_reserved_regions),
		TEST(leave_detaches_unbinds_and_closes),
		TEST(leave_with_a_detach_that_fails_closes_all_the_same),
		TEST(leave_with_a_sibling_in_use),
		TEST(last_one_in_use_takes_all_along),
		TEST(leave_with_a_sibling_in_use_before_attach),
		TEST(held_devices_go_with_the_context),
		TEST(held_device_that_is_unplugged),
		TEST(leave_of_null_does_nothing),
		TEST(maps_stay_when_the_last_device_leaves),
		TEST(request_of_the_kernel_is_signalled),
		TEST(vfio_info_of_a_descriptor),
		TEST_GROUP(open_group_joins_the_named),
		TEST_GROUP(open_group_without_a_named_member),
		TEST_GROUP(open_group_whose_members_cannot_join),
		TEST_GROUP(open_of_no_group),
		TEST_GROUP(open_of_an_unreadable_group),
		TEST_GROUP(group_opened_twice),
		TEST_GROUP(close_leaves_a_device_in_use),
		TEST_GROUP(bound_group_is_attached_where_it_is_bound),
		TEST_GROUP(bind_of_a_group_in_use_attaches_or_moves_it),
		TEST_GROUP(bind_that_fails_leaves_all_as_it_was),
		TEST_GROUP(bind_to_unknown_ioasid),
		TEST_GROUP(unbind_refused_by_the_kernel),
		TEST_GROUP(bind_with_the_risk_accepted),
		TEST(every_call_of_join_and_attach_fails),
		TEST(every_call_of_a_members_join_fails),
		TEST(every_call_of_a_groups_attach_fails),
		TEST(every_call_of_a_move_fails),
		TEST(every_call_of_check_fails),
		TEST(every_call_of_detach_fails),
		TEST(every_call_of_a_hand_over_fails),
		TEST(every_call_of_leave_fails),
		TEST(every_call_of_the_last_leave_fails),
		TEST_GROUP(every_call_of_group_open_fails),
		TEST_GROUP(every_call_of_group_bind_fails),
		TEST_GROUP(every_call_of_group_unbind_fails),
		TEST_GROUP(every_call_of_group_close_fails),
		TEST_MACHINE(every_call_of_open_and_map_fails),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
