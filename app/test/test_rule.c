/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The rule that the kernel lacks: ATTACH only when every endpoint of the IOMMU group
 * has joined the same context, or with IOASID_IMPLICIT_GROUP.
 */

#include <stdlib.h>

#include "sys.h"
#include "test.h"

static struct ioasid_device *nic;

/* Refused, told, and nothing is attached or even asked of the kernel. */
static void
check_refused(struct ioasid_device *dev, const char *missing)
{
	const unsigned int asked = fake_count(KABI_ATTACH);

	CHECK_ERR(ioasid_attach(dev, ioas), EPERM);
	CHECK_SAYS(ioasid_device_bdf(dev));
	CHECK_SAYS("IOMMU group 13");
	CHECK_SAYS(missing);
	CHECK_SAYS("IOASID_IMPLICIT_GROUP");
	CHECK_EQ(fake_count(KABI_ATTACH), asked);
	CHECK_EQ(ioasid_device_ioasid(dev), 0);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	CHECK_EQ(fake_pinned(), 0);
}

/* Why the rule is needed: with the disk controller unbound the kernel does not mind. */
static void
kernel_attaches_the_whole_group(void **state)
{
	struct kabi_attach arg = { .argsz = sizeof(arg), .pt_id = ioas };

	(void)state;
	fake_set_driver(GROUP_HD, NULL);
	nic = join(GROUP_NIC);
	CHECK_OK(ioasid_sys->ioctl(ioasid_device_fd(nic), KABI_ATTACH, &arg));
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
}

static void
alone_in_the_group(void **state)
{
	(void)state;
	attach(join(NIC0), ioas);
}

static void
all_have_joined(void **state)
{
	struct ioasid_device *hd;

	(void)state;
	nic = join(GROUP_NIC);
	check_refused(nic, GROUP_HD);
	hd = join(GROUP_HD);
	attach(nic, ioas);
	attach(hd, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
}

/* It is joining that counts: the other need not be attached, nor be the second. */
static void
order_of_joining_does_not_matter(void **state)
{
	(void)state;
	join(GROUP_HD);
	nic = join(GROUP_NIC);
	attach(nic, ioas);
	CHECK_EQ(fake_attached(GROUP_HD), 0);
}

static const struct {
	const char *driver;
} unjoined[] = {
	{ NULL }, { "vfio-pci" }, { "pci-stub" }, { "sym53c8xx" }, { "uio_pci_generic" },
};

/* Whatever the other is bound to, or by now bound to. */
static void
sibling_on_any_driver(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	for (size_t i = 0; i < ARRAY_SIZE(unjoined); i++) {
		fake_set_driver(GROUP_HD, unjoined[i].driver);
		check_refused(nic, GROUP_HD);
	}
}

static const struct {
	uint8_t header;
	bool exempt;
} headers[] = {
	{ 0x00, false }, { 0x01, true }, { 0x02, true }, { 0x03, false }, { 0x7f, false },
	{ 0x80, false }, { 0x81, true }, { 0x82, true }, { 0xff, false },
};

static void
sibling_with_any_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct fake_pci pci = { .bdf = "0000:04:1f.0", .group = THE_GROUP };

		pci.header = headers[i].header;
		fake_plug(&pci);
		print_message("header type 0x%02x\n", pci.header);
		nic = join(GROUP_NIC);
		join(GROUP_HD);
		if (headers[i].exempt)
			attach(nic, ioas);
		else
			check_refused(nic, pci.bdf);
		ioasid_close(ctx);
		CHECK_OK(ioasid_open(NULL, &ctx));
		CHECK_EQ(alloc(), ioas);
		fake_unplug(pci.bdf);
	}
}

/* Exempt is only what proves to be a bridge. */
static void
bridge_whose_config_cannot_be_read(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	fake_sysfs_write(BRIDGE, "config", NULL);
	check_refused(nic, BRIDGE);
	fake_sysfs_write(BRIDGE, "config", "short");
	check_refused(nic, BRIDGE);
	fake_sysfs_mkdir(BRIDGE, "config");
	check_refused(nic, BRIDGE);
	fake_sysfs_write(BRIDGE, "config", "12345678901234\x01");
	attach(nic, ioas);
}

static void
member_of_which_sysfs_knows_nothing(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	fake_sysfs_symlink(GROUP_NIC, "iommu_group/devices/0000:04:03.0", "gone");
	check_refused(nic, "0000:04:03.0");
}

/* A group that cannot be read is not one in which all have joined. */
static void
group_that_cannot_be_read(void **state)
{
	(void)state;
	nic = join(NIC0);
	fake_sysfs_write(NIC0, "iommu_group/devices", NULL);
	CHECK_ERR(ioasid_attach(nic, ioas), EPROTO);
	fake_sysfs_mkdir(NIC0, "iommu_group/devices");
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", "garbage\n");
	CHECK_ERR(ioasid_attach(nic, ioas), EPROTO);
	CHECK_EQ(fake_count(KABI_ATTACH), 0);
	CHECK_EQ(fake_attached(NIC0), 0);
}

static void
sentence_counts_and_names_the_first(void **state)
{
	struct fake_pci third = pci_group_hd;

	(void)state;
	third.bdf = "0000:04:03.0";
	fake_plug(&third);
	nic = join(GROUP_NIC);
	check_refused(nic, "2 device(s) of its IOMMU group 13, the first " GROUP_HD);
	join(GROUP_HD);
	check_refused(nic, "1 device(s) of its IOMMU group 13, the first 0000:04:03.0");
}

/* Joined, but to somebody else: the kernel allows one owner, so neither gets anywhere. */
static void
sibling_in_another_context_is_not_joined(void **state)
{
	struct ioasid_ctx *second;
	struct ioasid_group *group;
	bool at_risk[3];

	(void)state;
	CHECK_OK(ioasid_open(NULL, &second));
	join(GROUP_HD);
	CHECK_OK(ioasid_group_read(fake_sysfs(), GROUP_NIC, &group));
	for (unsigned int i = 0; i < 3; i++)
		at_risk[i] = ioasid_is_at_risk(second, &group->members[i]);
	CHECK(!ioasid_is_at_risk(ctx, &group->members[2]));
	ioasid_group_free(group);
	CHECK_ERR(ioasid_join(second, fake_sysfs(), GROUP_NIC, 0, &nic), EPERM);
	ioasid_close(second);
	CHECK(!at_risk[0]);
	CHECK(at_risk[1]);
	CHECK(at_risk[2]);
}

/* IOASID_IMPLICIT_GROUP */

static void
implicit_group_attaches_without_the_others(void **state)
{
	(void)state;
	fake_set_driver(GROUP_HD, NULL);
	nic = join_implicit(GROUP_NIC);
	attach(nic, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
}

/* It accepts the risk; it does not end it. */
static void
implicit_group_leaves_the_others_at_risk(void **state)
{
	struct ioasid_group *group;
	bool at_risk[3];

	(void)state;
	nic = join_implicit(GROUP_NIC);
	attach(nic, ioas);
	CHECK_OK(ioasid_group_read(fake_sysfs(), GROUP_NIC, &group));
	for (unsigned int i = 0; i < 3; i++)
		at_risk[i] = ioasid_is_at_risk(ctx, &group->members[i]);
	ioasid_group_free(group);
	CHECK(!at_risk[0]); /* bridge */
	CHECK(!at_risk[1]); /* itself */
	CHECK(at_risk[2]);
}

/* The flag is the device's, not its group's. */
static void
implicit_group_of_one_is_not_that_of_another(void **state)
{
	struct fake_pci third = pci_group_hd;
	struct ioasid_device *hd;

	(void)state;
	third.bdf = "0000:04:03.0";
	fake_plug(&third);
	nic = join(GROUP_NIC);
	hd = join_implicit(GROUP_HD);
	check_refused(nic, third.bdf);
	attach(hd, ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	join(third.bdf);
	attach(nic, ioas);
}

static void
implicit_group_still_honours_reserved_regions(void **state)
{
	(void)state;
	nic = join_implicit(GROUP_NIC);
	map(HD_START, PAGE);
	CHECK_ERR(ioasid_attach(nic, ioas), EADDRINUSE);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
}

/* The group is read anew by every ATTACH */

static void
sibling_appears_between_join_and_attach(void **state)
{
	struct fake_pci third = pci_group_hd;

	(void)state;
	third.bdf = "0000:04:03.0";
	third.driver = NULL;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	fake_plug(&third);
	check_refused(nic, third.bdf);
	fake_unplug(third.bdf);
	attach(nic, ioas);
}

/* What is attached stays so, for the kernel took the newcomer in; but nothing new. */
static void
sibling_appears_after_attach(void **state)
{
	struct fake_pci third = pci_group_hd;
	const uint32_t second = alloc();

	(void)state;
	third.bdf = "0000:04:03.0";
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	attach(nic, ioas);
	fake_plug(&third);
	CHECK_ERR(ioasid_attach(nic, second), EPERM);
	CHECK_SAYS(third.bdf);
	CHECK_EQ(ioasid_device_ioasid(nic), ioas);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	join(third.bdf);
	attach(nic, second);
}

static void
sibling_disappears(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	check_refused(nic, GROUP_HD);
	fake_unplug(GROUP_HD);
	attach(nic, ioas);
}

static void
sibling_leaves(void **state)
{
	struct ioasid_device *hd;

	(void)state;
	nic = join(GROUP_NIC);
	hd = join(GROUP_HD);
	attach(nic, ioas);
	CHECK_OK(ioasid_detach(nic));
	ioasid_leave(hd);
	check_refused(nic, GROUP_HD);
}

/* It is at risk again; what is attached stays so, as the kernel cannot undo a LEAVE. */
static void
sibling_leaves_while_the_other_is_attached(void **state)
{
	const struct ioasid_member member = { .bdf = GROUP_HD };
	const uint32_t second = alloc();
	struct ioasid_device *hd;

	(void)state;
	nic = join(GROUP_NIC);
	hd = join(GROUP_HD);
	attach(nic, ioas);
	ioasid_leave(hd);
	CHECK(ioasid_is_at_risk(ctx, &member));
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_ERR(ioasid_attach(nic, second), EPERM);
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
}

/* The reserved regions of a newcomer count from the next ATTACH on. */
static void
reserved_regions_are_read_anew(void **state)
{
	struct fake_pci third = { .bdf = "0000:04:03.0",
				  .group = THE_GROUP,
				  .header = 1,
				  .reserved = { { 0x10000, 0x1ffff, "reserved" } } };

	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	map(0x10000, PAGE);
	attach(nic, ioas);
	CHECK_OK(ioasid_detach(nic));
	fake_plug(&third);
	CHECK_ERR(ioasid_attach(nic, ioas), EADDRINUSE);
	CHECK_SAYS("0x10000-0x1ffff");
	CHECK_OK(ioasid_unmap(ctx, ioas, 0x10000, PAGE));
	attach(nic, ioas);
	CHECK_ERR(ioasid_map(ctx, ioas, VA, 0x10000, PAGE, RW), EADDRINUSE);
}

/* The rule in pure form, for a member as read from sysfs */

static void
at_risk_is_an_endpoint_that_has_not_joined(void **state)
{
	const struct {
		struct ioasid_member member;
		bool at_risk;
	} rows[] = {
		{ { .bdf = NIC0 }, false },
		{ { .bdf = NIC0, .bridge = true }, false },
		{ { .bdf = NIC1 }, true },
		{ { .bdf = NIC1, .driver = "vfio-pci", .cdev = "vfio1" }, true },
		{ { .bdf = NIC1, .bridge = true }, false },
		{ { .bdf = "0000:01:00.1" }, true },
		{ { .bdf = "0000:01:00" }, true },
		{ { .bdf = "" }, true },
	};

	(void)state;
	nic = join(NIC0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_EQ(ioasid_is_at_risk(ctx, &rows[i].member), rows[i].at_risk);
	ioasid_leave(nic);
	CHECK(ioasid_is_at_risk(ctx, &rows[0].member));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kernel_attaches_the_whole_group),
		TEST(alone_in_the_group),
		TEST(all_have_joined),
		TEST(order_of_joining_does_not_matter),
		TEST(sibling_on_any_driver),
		TEST(sibling_with_any_header),
		TEST(bridge_whose_config_cannot_be_read),
		TEST(member_of_which_sysfs_knows_nothing),
		TEST(group_that_cannot_be_read),
		TEST(sentence_counts_and_names_the_first),
		TEST(sibling_in_another_context_is_not_joined),
		TEST(implicit_group_attaches_without_the_others),
		TEST(implicit_group_leaves_the_others_at_risk),
		TEST(implicit_group_of_one_is_not_that_of_another),
		TEST(implicit_group_still_honours_reserved_regions),
		TEST(sibling_appears_between_join_and_attach),
		TEST(sibling_appears_after_attach),
		TEST(sibling_disappears),
		TEST(sibling_leaves),
		TEST(sibling_leaves_while_the_other_is_attached),
		TEST(reserved_regions_are_read_anew),
		TEST(at_risk_is_an_endpoint_that_has_not_joined),
	};

	return cmocka_run_group_tests_name("rule", tests, NULL, NULL);
}
