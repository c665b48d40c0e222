/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The rule that the kernel lacks: ATTACH only when every endpoint of the IOMMU group
 * has joined the same context, or with IOASID_IMPLICIT_GROUP.
 */

#include <stdarg.h>
#include <stdlib.h>

#include <linux/vfio.h>

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
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	CHECK_EQ(ioasid_device_ioasid(hd), ioas);
	attach(hd, ioas);
	CHECK_EQ(fake_exposed(NULL, 0), 0);
}

/* Whoever is attached takes all along that have joined. */
static void
order_of_joining_does_not_matter(void **state)
{
	(void)state;
	join(GROUP_HD);
	nic = join(GROUP_NIC);
	attach(nic, ioas);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	CHECK_EQ(fake_exposed(NULL, 0), 0);
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

/* What is plugged into the group beside those that join is in the way, or is not. */
static void
check_sibling(const struct fake_pci *pci, bool exempt)
{
	fake_plug(pci);
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	if (exempt)
		attach(nic, ioas);
	else
		check_refused(nic, pci->bdf);
	ioasid_close(ctx);
	CHECK_OK(ioasid_open(NULL, NULL, &ctx));
	CHECK_EQ(alloc(), ioas);
	fake_unplug(pci->bdf);
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
		print_message("header type 0x%02x\n", pci.header);
		check_sibling(&pci, headers[i].exempt);
	}
}

/* A host bridge is exempt by its class, and nothing else of an endpoint's header is. */
static void
sibling_of_any_class(void **state)
{
	const struct {
		uint32_t class_code;
		bool exempt;
	} rows[] = { { 0x060000, true },  { 0x060001, true },  { 0x060100, false },
		     { 0x060400, false }, { 0x088000, false }, { 0, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_pci pci = { .bdf = "0000:04:1f.0", .group = THE_GROUP };

		pci.class_code = rows[i].class_code;
		print_message("class 0x%06x\n", pci.class_code);
		check_sibling(&pci, rows[i].exempt);
	}
}

/* What cannot be read is neither exempt nor at risk: it is an error, and nothing is attached. */

static void
check_unreadable(const char *says)
{
	const unsigned int asked = fake_count(KABI_ATTACH);

	CHECK_ERR(ioasid_attach(nic, ioas), EPROTO);
	CHECK_SAYS(says);
	CHECK_EQ(fake_count(KABI_ATTACH), asked);
	CHECK_EQ(ioasid_device_ioasid(nic), 0);
	CHECK_EQ(fake_attached(ioasid_device_bdf(nic)), 0);
	CHECK_ERR(ioasid_check(nic), EPROTO);
	CHECK_SAYS(says);
}

static void
bridge_whose_config_cannot_be_read(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	fake_sysfs_write(BRIDGE, "config", NULL);
	check_unreadable(BRIDGE "/config");
	fake_sysfs_write(BRIDGE, "config", "short");
	check_unreadable(BRIDGE "/config");
	fake_sysfs_mkdir(BRIDGE, "config");
	check_unreadable(BRIDGE "/config");
	fake_sysfs_write(BRIDGE, "config", "12345678901234\x01");
	attach(nic, ioas);
}

/* Not even the risk of it can be accepted: who is at risk is not known. */
static void
implicit_group_accepts_nothing_unknown(void **state)
{
	(void)state;
	nic = join_implicit(GROUP_NIC);
	fake_sysfs_write(GROUP_HD, "class", "garbage");
	check_unreadable(GROUP_HD "/class");
}

static void
member_of_which_sysfs_knows_nothing(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	fake_sysfs_symlink(GROUP_NIC, "iommu_group/devices/0000:04:03.0", "gone");
	check_unreadable("0000:04:03.0");
	fake_sysfs_write(GROUP_NIC, "iommu_group/devices/0000:04:03.0", NULL);
	attach(nic, ioas);
}

/* A group that cannot be read is not one in which all have joined. */
static void
group_that_cannot_be_read(void **state)
{
	(void)state;
	nic = join(NIC0);
	fake_sysfs_write(NIC0, "iommu_group/devices", "");
	check_unreadable("iommu_groups/11/devices");
	fake_sysfs_mkdir(NIC0, "iommu_group/devices");
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", "garbage\n");
	check_unreadable("reserved_regions");
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
	struct ioasid_device *hd = join(GROUP_HD);
	struct ioasid_ctx *second;

	(void)state;
	CHECK_OK(ioasid_open(NULL, NULL, &second));
	CHECK_ERR(ioasid_join(second, fake_sysfs(), GROUP_NIC, &nic), EPERM);
	ioasid_close(second);
	CHECK_ERR(ioasid_attach(hd, ioas), EPERM);
	CHECK_SAYS("the first " GROUP_NIC);
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

static void
check_standing(const char *bdf, enum ioasid_standing want)
{
	struct ioasid_group_info *group;
	const struct ioasid_member *m;
	enum ioasid_standing standing;

	CHECK_EQ(ioasid_list_groups(ctx, THE_GROUP, &group, 1, NULL), 1);
	m = ioasid_group_member(group, bdf);
	CHECK(m != NULL);
	standing = m->standing;
	ioasid_group_info_free(group);
	CHECK_EQ(standing, want);
}

/* It accepts the risk; it does not end it. */
static void
implicit_group_leaves_the_others_at_risk(void **state)
{
	const char *exposed[2];

	(void)state;
	nic = join_implicit(GROUP_NIC);
	attach(nic, ioas);
	check_standing(BRIDGE, IOASID_EXEMPT);
	check_standing(GROUP_NIC, IOASID_JOINED);
	check_standing(GROUP_HD, IOASID_AT_RISK);
	CHECK_EQ(fake_exposed(exposed, 2), 1);
	CHECK_STR(exposed[0], GROUP_HD);
}

/* The flag is the device's, not its group's: nobody else attaches by it. */
static void
implicit_group_of_one_is_not_that_of_another(void **state)
{
	const uint32_t second = alloc();
	struct fake_pci third = pci_group_hd;
	struct ioasid_device *hd;

	(void)state;
	third.bdf = "0000:04:03.0";
	fake_plug(&third);
	nic = join(GROUP_NIC);
	hd = join_implicit(GROUP_HD);
	check_refused(nic, third.bdf);
	attach(hd, ioas);
	/* It took the other along, which joined. */
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	CHECK_ERR(ioasid_attach(nic, second), EPERM);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	join(third.bdf);
	attach(nic, second);
	CHECK_EQ(fake_attached(third.bdf), second);
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
	CHECK_EQ(fake_attached(GROUP_NIC), second);
	CHECK_EQ(fake_attached(GROUP_HD), second);
	CHECK_EQ(fake_attached(third.bdf), second);
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

/* As long as the other is in use it stays joined, whether or not the group is attached. */
static void
sibling_that_leaves_stays_joined(void **state)
{
	const uint32_t second = alloc();
	struct ioasid_device *hd;

	(void)state;
	nic = join(GROUP_NIC);
	hd = join(GROUP_HD);
	ioasid_leave(hd);
	CHECK(fake_is_bound(GROUP_HD));
	attach(nic, ioas);
	check_standing(GROUP_HD, IOASID_JOINED);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	attach(nic, second);
	CHECK_EQ(fake_attached(GROUP_HD), second);
	CHECK_EQ(fake_exposed(NULL, 0), 0);
}

/* One that does not answer any more cannot be held: it is at risk from then on. */
static void
sibling_that_cannot_be_held(void **state)
{
	const unsigned long calls[] = { VFIO_DEVICE_GET_INFO, VFIO_DEVICE_GET_REGION_INFO,
					FAKE_PREAD, FAKE_PWRITE, VFIO_DEVICE_RESET };
	const uint32_t second = alloc();
	struct ioasid_device *hd;

	(void)state;
	nic = join(GROUP_NIC);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		hd = join(GROUP_HD);
		attach(nic, i % 2 == 0 ? ioas : second);
		fake_fail(calls[i], 1, EIO);
		ioasid_leave(hd);
		CHECK_EQ(fake_fail_clear(), 1);
		CHECK(!fake_is_bound(GROUP_HD));
		check_standing(GROUP_HD, IOASID_AT_RISK);
		/* What is attached stays so, but goes nowhere. */
		CHECK_EQ(fake_attached(GROUP_NIC), i % 2 == 0 ? ioas : second);
		CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
		CHECK_ERR(ioasid_attach(nic, second), EPERM);
		CHECK_ERR(ioasid_check(nic), EPERM);
	}
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

/* Told to the user, and asked of him: the policy */

static struct {
	const char *named[4];
	bool implicit; /* `how` says so */
	int how_fd;
	char log[2048];
	char sentence[256];   /* at the last report of a failure */
	unsigned int at_risk; /* of the last report */
	bool accepted;
	int err;
} user;

static void write_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
write_log(const char *fmt, ...)
{
	size_t used = strlen(user.log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(user.log + used, sizeof(user.log) - used, fmt, ap);
	va_end(ap);
}

static bool
is_named(const struct ioasid_member *m, void *arg)
{
	CHECK(arg == &user);
	for (size_t i = 0; i < ARRAY_SIZE(user.named); i++)
		if (user.named[i] != NULL && strcmp(user.named[i], m->bdf) == 0)
			return true;
	return false;
}

static void
tell_how(const char *bdf, struct ioasid_join_how *how, void *arg)
{
	CHECK(arg == &user);
	CHECK(bdf[0] != '\0');
	CHECK_EQ(how->fd, -1);
	if (user.implicit)
		how->flags |= IOASID_IMPLICIT_GROUP;
	how->fd = user.how_fd;
}

static void
on_joined(struct ioasid_device *dev, void *arg)
{
	CHECK(arg == &user);
	write_log("joined %s\n", ioasid_device_bdf(dev));
}

static void
on_held(struct ioasid_device *dev, void *arg)
{
	CHECK(arg == &user);
	CHECK_EQ(ioasid_device_group(dev), THE_GROUP);
	write_log("held %s\n", ioasid_device_bdf(dev));
}

static void
on_let_go(struct ioasid_device *dev, void *arg)
{
	CHECK(arg == &user);
	write_log("let go %s\n", ioasid_device_bdf(dev));
}

static void
on_report(const struct ioasid_report *r, void *arg)
{
	static const char *const news[] = {
		[IOASID_NEWS_ATTACHED] = "attached",     [IOASID_NEWS_REFUSED] = "refused",
		[IOASID_NEWS_AT_RISK] = "at risk",       [IOASID_NEWS_UNKNOWN] = "unknown",
		[IOASID_NEWS_NOT_JOINED] = "not joined", [IOASID_NEWS_FORBIDDEN] = "forbidden",
	};
	const bool failed = r->news == IOASID_NEWS_UNKNOWN || r->news == IOASID_NEWS_NOT_JOINED;

	CHECK(arg == &user);
	CHECK_EQ(r->group == NULL, r->news == IOASID_NEWS_UNKNOWN);
	CHECK_EQ(r->err < 0, failed);
	if (failed)
		snprintf(user.sentence, sizeof(user.sentence), "%s", ioasid_error());
	if (r->group != NULL)
		user.at_risk = ioasid_group_at_risk(r->group);
	user.accepted = r->accepted;
	user.err = r->err;
	write_log("%s %s\n", news[r->news], r->bdf);
}

static const struct ioasid_policy policy = {
	.named = is_named,
	.how = tell_how,
	.joined = on_joined,
	.held = on_held,
	.let_go = on_let_go,
	.report = on_report,
	.arg = &user,
};

static int
open_with_policy(int (*open_ctx)(void))
{
	memset(&user, 0, sizeof(user));
	user.how_fd = -1;
	return open_ctx();
}

static int
open_native(void)
{
	return ioasid_open(NULL, &policy, &ctx) == 0 ? ioasid_alloc(ctx, &ioas) : -1;
}

static int
open_rule(void)
{
	ioas = 0;
	return ioasid_open_rule(&policy, &ctx);
}

static int
setup_policy(void **state)
{
	setup_machine(state);
	return open_with_policy(open_native);
}

static int
setup_rule(void **state)
{
	setup_machine(state);
	return open_with_policy(open_rule);
}

#define TEST_POLICY(f) cmocka_unit_test_setup_teardown(f, setup_policy, teardown)
#define TEST_RULE(f)   cmocka_unit_test_setup_teardown(f, setup_rule, teardown)

/* What has been told since the last time. */
static void
check_log(const char *want)
{
	char got[sizeof(user.log)];

	strcpy(got, user.log);
	user.log[0] = '\0';
	CHECK_STR(got, want);
}

static const struct fake_pci third = {
	.bdf = "0000:04:03.0", .group = THE_GROUP, .vendor = 0x1234, .driver = "vfio-pci"
};

static void
plug_third(void)
{
	fake_plug(&third);
}

static void
named_members_join_for_their_groups_sake(void **state)
{
	struct ioasid_device_info info;

	(void)state;
	user.named[0] = GROUP_HD;
	nic = join(GROUP_NIC);
	check_log("joined " GROUP_NIC "\n");
	CHECK(!fake_is_bound(GROUP_HD));
	attach(nic, ioas);
	check_log("joined " GROUP_HD "\nheld " GROUP_HD "\nattached " GROUP_NIC "\n");
	CHECK_EQ(user.at_risk, 0);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	CHECK_OK(ioasid_find_device(ctx, GROUP_HD, &info));
	CHECK(info.held);
	/* It goes with the last one that is in use. */
	ioasid_leave(nic);
	check_log("let go " GROUP_HD "\n");
	CHECK_EQ(fake_open_files(), 1);
}

static void
held_member_is_handed_over(void **state)
{
	struct ioasid_device_info info;
	struct ioasid_device *hd;
	unsigned int files;

	(void)state;
	user.named[0] = GROUP_HD;
	nic = join(GROUP_NIC);
	attach(nic, ioas);
	check_log("joined " GROUP_NIC "\njoined " GROUP_HD "\nheld " GROUP_HD
		  "\nattached " GROUP_NIC "\n");
	files = fake_open_files();
	hd = join(GROUP_HD);
	check_log("let go " GROUP_HD "\n");
	CHECK_EQ(fake_open_files(), files);
	CHECK_EQ(ioasid_device_ioasid(hd), ioas);
	CHECK_OK(ioasid_find_device(ctx, GROUP_HD, &info));
	CHECK(!info.held);
	/* In use now: once only. */
	CHECK_ERR(ioasid_join(ctx, fake_sysfs(), GROUP_HD, &hd), EEXIST);
	/* Now that one is held; and so to and fro. */
	ioasid_leave(nic);
	check_log("held " GROUP_NIC "\n");
	nic = join(GROUP_NIC);
	check_log("let go " GROUP_NIC "\n");
	attach(nic, ioas);
	check_log("");
}

/* The giver's way is what counts then, and a descriptor too many is closed. */
static void
held_member_is_handed_over_in_another_way(void **state)
{
	struct ioasid_join_how how = { .flags = IOASID_IMPLICIT_GROUP };
	struct ioasid_device *hd;
	unsigned int files;

	(void)state;
	user.named[0] = GROUP_HD;
	nic = join(GROUP_NIC);
	attach(nic, ioas);
	files = fake_open_files();
	how.fd = fake_open_elsewhere("/dev/vfio/devices/vfio4", false);
	CHECK_OK(ioasid_join_with(ctx, fake_sysfs(), GROUP_HD, &how, &hd));
	CHECK_EQ(fake_open_files(), files);
	plug_third();
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	CHECK_OK(ioasid_attach(hd, ioas));
}

static void
named_member_that_cannot_join_is_left_to_the_rule(void **state)
{
	(void)state;
	user.named[0] = GROUP_HD;
	nic = join(GROUP_NIC);
	check_log("joined " GROUP_NIC "\n");
	fake_fail(KABI_BIND, 1, EBUSY);
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	check_log("not joined " GROUP_HD "\nrefused " GROUP_NIC "\n");
	CHECK_EQ(user.at_risk, 1);
	CHECK(strstr(user.sentence, GROUP_HD ": JOIN failed") != NULL);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	/* The next time it can. */
	attach(nic, ioas);
	check_log("joined " GROUP_HD "\nheld " GROUP_HD "\nattached " GROUP_NIC "\n");
}

/* Named, but nobody could have it: it is not even tried. */
static void
named_member_on_no_vfio_driver(void **state)
{
	(void)state;
	fake_set_driver(GROUP_HD, "pci-stub");
	user.named[0] = GROUP_HD;
	user.named[1] = BRIDGE;
	nic = join(GROUP_NIC);
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	check_log("joined " GROUP_NIC "\nrefused " GROUP_NIC "\n");
}

static void
policy_says_how_to_join(void **state)
{
	(void)state;
	user.implicit = true;
	user.how_fd = fake_open_elsewhere("/dev/vfio/devices/vfio3", false);
	nic = join(GROUP_NIC);
	CHECK_EQ(ioasid_device_fd(nic), user.how_fd);
	attach(nic, ioas);
	check_log("joined " GROUP_NIC "\nattached " GROUP_NIC "\nat risk " GROUP_NIC "\n");
	CHECK(user.accepted);
	CHECK_EQ(user.at_risk, 1);
}

/* Whoever is attached is named, not whoever joined last. */
static void
report_names_who_is_attached(void **state)
{
	(void)state;
	user.implicit = true;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	plug_third();
	user.log[0] = '\0';
	attach(nic, ioas);
	check_log("attached " GROUP_NIC "\nat risk " GROUP_NIC "\n");
}

/* Once for each list of endpoints at risk, by whatever it came to be. */
static void
risk_is_told_when_it_changes(void **state)
{
	const uint32_t second = alloc();

	(void)state;
	user.implicit = true;
	nic = join(GROUP_NIC);
	user.log[0] = '\0';
	attach(nic, ioas);
	check_log("attached " GROUP_NIC "\nat risk " GROUP_NIC "\n");
	attach(nic, ioas);
	attach(nic, second);
	CHECK_OK(ioasid_check(nic));
	ioasid_device_event(ctx, fake_sysfs(), GROUP_HD);
	ioasid_device_event(ctx, fake_sysfs(), NULL);
	check_log("");
	plug_third();
	ioasid_device_event(ctx, fake_sysfs(), third.bdf);
	check_log("at risk " GROUP_NIC "\n");
	CHECK_EQ(user.at_risk, 2);
	CHECK(user.accepted);
	ioasid_device_event(ctx, fake_sysfs(), third.bdf);
	check_log("");
	/* One less is another list; and the same again is news again. */
	fake_unplug(third.bdf);
	ioasid_device_event(ctx, fake_sysfs(), third.bdf);
	check_log("at risk " GROUP_NIC "\n");
	CHECK_EQ(user.at_risk, 1);
	plug_third();
	ioasid_device_event(ctx, fake_sysfs(), NULL);
	check_log("at risk " GROUP_NIC "\n");
	/* Detached, it can reach nothing; the next ATTACH tells anew. */
	CHECK_OK(ioasid_detach(nic));
	ioasid_device_event(ctx, fake_sysfs(), third.bdf);
	check_log("");
	attach(nic, ioas);
	check_log("attached " GROUP_NIC "\nat risk " GROUP_NIC "\n");
}

/* The kernel took a newcomer in: that is told, though nobody accepted it. */
static void
newcomer_in_an_attached_group(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	attach(nic, ioas);
	user.log[0] = '\0';
	user.named[0] = third.bdf;
	plug_third();
	ioasid_device_event(ctx, fake_sysfs(), third.bdf);
	/* Events join nobody: that is for the threads that attach. */
	CHECK(!fake_is_bound(third.bdf));
	CHECK_EQ(strncmp(user.log, "at risk ", 8), 0);
	CHECK(!user.accepted);
	CHECK_EQ(user.at_risk, 1);
	user.log[0] = '\0';
	CHECK_OK(ioasid_check(nic));
	check_log("joined 0000:04:03.0\nheld 0000:04:03.0\n");
	CHECK_EQ(fake_exposed(NULL, 0), 0);
}

static void
events_of_others_are_none(void **state)
{
	unsigned int before;

	(void)state;
	nic = join_implicit(GROUP_NIC);
	attach(nic, ioas);
	join(NIC0);
	user.log[0] = '\0';
	before = fake_count(FAKE_LIST);
	ioasid_device_event(ctx, fake_sysfs(), NIC1);
	ioasid_device_event(ctx, fake_sysfs(), NIC0);
	ioasid_device_event(ctx, fake_sysfs(), "0000:77:00.0");
	ioasid_device_event(ctx, fake_sysfs(), "");
	CHECK_EQ(fake_count(FAKE_LIST), before);
	check_log("");
}

static void
group_that_becomes_unreadable_is_told(void **state)
{
	(void)state;
	nic = join(NIC0);
	attach(nic, ioas);
	user.log[0] = '\0';
	fake_fail(FAKE_LIST, 1, EIO);
	ioasid_device_event(ctx, fake_sysfs(), NIC0);
	check_log("unknown " NIC0 "\n");
	CHECK_EQ(user.err, -EPROTO);
	CHECK(strstr(user.sentence, "iommu_groups/11/devices") != NULL);
	fake_fail(FAKE_READ_FILE, 1, ENOMEM);
	ioasid_device_event(ctx, fake_sysfs(), NULL);
	check_log("unknown " NIC0 "\n");
	CHECK_EQ(user.err, -ENOMEM);
	/* Still attached, and as it was. */
	CHECK_EQ(fake_attached(NIC0), ioas);
	ioasid_device_event(ctx, fake_sysfs(), NIC0);
	check_log("");
}

/* While the kernel attaches */

static void
check_nowhere(void)
{
	CHECK_EQ(ioasid_device_ioasid(nic), 0);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	CHECK_EQ(fake_attached(GROUP_HD), 0);
	CHECK_EQ(fake_exposed(NULL, 0), 0);
	CHECK_EQ(fake_pinned(), 0);
	/* Nothing is reserved there any more. */
	map(MSI_START, PAGE);
	CHECK_OK(ioasid_unmap(ctx, ioas, MSI_START, PAGE));
}

static void
newcomer_while_it_is_attached(void **state)
{
	(void)state;
	map(0, PAGE);
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	user.log[0] = '\0';
	fake_at(KABI_ATTACH, plug_third);
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	CHECK_SAYS("0000:04:03.0");
	check_log("refused " GROUP_NIC "\n");
	check_nowhere();
	/* Named, it joins and is attached as the others are. */
	fake_unplug(third.bdf);
	user.named[0] = third.bdf;
	fake_at(KABI_ATTACH, plug_third);
	attach(nic, ioas);
	check_log("joined 0000:04:03.0\nheld 0000:04:03.0\nattached " GROUP_NIC "\n");
	CHECK_EQ(fake_attached(third.bdf), ioas);
}

static void
spoil_group(void)
{
	fake_sysfs_write(GROUP_HD, "class", "");
}

static void
mend_group(void)
{
	fake_sysfs_write(GROUP_HD, "class", "0x010000\n");
}

static void
group_becomes_unreadable_while_it_is_attached(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	user.log[0] = '\0';
	fake_at(KABI_ATTACH, spoil_group);
	CHECK_ERR(ioasid_attach(nic, ioas), EPROTO);
	CHECK_SAYS(GROUP_HD "/class");
	check_log("");
	check_nowhere();
	mend_group();
	attach(nic, ioas);
}

/* A move that comes out wrong goes back, all devices of it. */
static void
move_goes_back(void **state)
{
	void (*const spoils[])(void) = { plug_third, spoil_group };
	const uint32_t second = alloc();

	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	attach(nic, ioas);
	for (size_t i = 0; i < ARRAY_SIZE(spoils); i++) {
		fake_at(KABI_ATTACH, spoils[i]);
		CHECK_ERR(ioasid_attach(nic, second), i == 0 ? EPERM : EPROTO);
		CHECK_EQ(ioasid_device_ioasid(nic), ioas);
		CHECK_EQ(fake_attached(GROUP_NIC), ioas);
		CHECK_EQ(fake_attached(GROUP_HD), ioas);
		/* What the group reserves counts where it is, and nowhere else. */
		CHECK_ERR(ioasid_map(ctx, ioas, VA, HD_START, PAGE, RW), EADDRINUSE);
		CHECK_OK(ioasid_map(ctx, second, VA, HD_START, PAGE, RW));
		CHECK_OK(ioasid_unmap(ctx, second, HD_START, PAGE));
		if (i == 0)
			fake_unplug(third.bdf);
	}
	mend_group();
	attach(nic, second);
	CHECK_OK(ioasid_free(ctx, ioas));
}

/* Where even that fails: nowhere, which lets nobody reach anything. */
static void
move_that_cannot_go_back(void **state)
{
	const uint32_t second = alloc();

	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	attach(nic, ioas);
	fake_at(KABI_ATTACH, plug_third);
	fake_fail(KABI_ATTACH, 2, EBUSY);
	CHECK_ERR(ioasid_attach(nic, second), EPERM);
	CHECK_SAYS("0000:04:03.0");
	CHECK_EQ(fake_fail_clear(), 1);
	check_nowhere();
	CHECK_OK(ioasid_free(ctx, second));
	fake_unplug(third.bdf);
	attach(nic, ioas);
}

/* An event that comes while the group is worked on is not lost. */
static void
tell_event(void)
{
	plug_third();
	ioasid_device_event(ctx, fake_sysfs(), third.bdf);
}

static void
event_while_the_group_is_worked_on(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	attach(nic, ioas);
	user.log[0] = '\0';
	/* At the first file that is read: the list of members was read before. */
	fake_at(FAKE_READ_FILE, tell_event);
	CHECK_OK(ioasid_check(nic));
	CHECK_EQ(strncmp(user.log, "at risk ", 8), 0);
	CHECK_EQ(user.at_risk, 1);
	check_standing(third.bdf, IOASID_AT_RISK);
}

/* What an event leads to at the end of a call must not put its own failure in place of that. */

static void
spoil_and_tell_event(void)
{
	spoil_group();
	ioasid_device_event(ctx, fake_sysfs(), GROUP_NIC);
}

static void
sentence_is_that_of_the_call(void **state)
{
	const uint32_t second = alloc();

	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	attach(nic, ioas);
	user.log[0] = '\0';
	fake_fail(KABI_ATTACH, 1, EBUSY);
	fake_at(KABI_ATTACH, spoil_and_tell_event);
	CHECK_ERR(ioasid_attach(nic, second), EBUSY);
	CHECK_EQ(strncmp(user.log, "unknown ", 8), 0);
	CHECK(strstr(user.sentence, GROUP_HD "/class") != NULL);
	CHECK_SAYS("ATTACH failed");
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
}

/* A security module of the kernel has a rule of its own, and says EPERM as ours does. */
static void
kernel_that_forbids_is_reported(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	join(GROUP_HD);
	user.log[0] = '\0';
	fake_fail(KABI_ATTACH, 1, EPERM);
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	check_log("forbidden " GROUP_NIC "\n");
	CHECK_SAYS("a security module of the kernel forbids it");
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	attach(nic, ioas);
	check_log("attached " GROUP_NIC "\n");
	/* By other means. */
	ioasid_forbidden(nic);
	check_log("forbidden " GROUP_NIC "\n");
}

/* Somebody wants it back */

static void
held_device_is_yielded(void **state)
{
	struct ioasid_device_info info;

	(void)state;
	user.named[0] = GROUP_HD;
	nic = join(GROUP_NIC);
	attach(nic, ioas);
	user.log[0] = '\0';
	/* Not one that is in use, or that nobody knows. */
	ioasid_yield(ctx, GROUP_NIC);
	ioasid_yield(ctx, "0000:77:00.0");
	check_log("");
	ioasid_yield(ctx, GROUP_HD);
	check_log("let go " GROUP_HD "\nat risk " GROUP_NIC "\n");
	CHECK(!fake_is_bound(GROUP_HD));
	CHECK_RET(ioasid_find_device(ctx, GROUP_HD, &info), -ENOENT);
	CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	ioasid_yield(ctx, GROUP_HD);
	check_log("");
	/* The next ATTACH takes it again, as the user named it. */
	attach(nic, ioas);
	check_log("joined " GROUP_HD "\nheld " GROUP_HD "\n");
}

static void
yield_hd(void)
{
	ioasid_yield(ctx, GROUP_HD);
}

static void
held_device_is_yielded_when_the_work_is_done(void **state)
{
	(void)state;
	user.named[0] = GROUP_HD;
	nic = join(GROUP_NIC);
	attach(nic, ioas);
	user.log[0] = '\0';
	fake_at(FAKE_READ_FILE, yield_hd);
	CHECK_OK(ioasid_check(nic));
	check_log("let go " GROUP_HD "\nat risk " GROUP_NIC "\n");
	CHECK(!fake_is_bound(GROUP_HD));
}

/* Check alone, where the caller attached by other means. */
static void
check_tells_what_attach_would(void **state)
{
	(void)state;
	user.implicit = true;
	nic = join(GROUP_NIC);
	user.log[0] = '\0';
	CHECK_OK(ioasid_check(nic));
	check_log("at risk " GROUP_NIC "\n");
	CHECK(user.accepted);
	CHECK_EQ(fake_count(KABI_ATTACH), 0);
	/* Nobody remembers the group when it is gone. */
	ioasid_leave(nic);
	ioasid_device_event(ctx, fake_sysfs(), GROUP_HD);
	fake_unplug(GROUP_HD);
	ioasid_device_event(ctx, fake_sysfs(), GROUP_HD);
	check_log("");
}

static void
check_refuses_what_attach_would(void **state)
{
	(void)state;
	nic = join(GROUP_NIC);
	user.log[0] = '\0';
	CHECK_ERR(ioasid_check(nic), EPERM);
	CHECK_SAYS("the first " GROUP_HD);
	check_log("refused " GROUP_NIC "\n");
	join(GROUP_HD);
	CHECK_OK(ioasid_check(nic));
	fake_unplug(GROUP_NIC);
	CHECK_ERR(ioasid_check(nic), ENODEV);
}

/* Without /dev/ioasid: the rule, and nothing else */

static void
rule_alone_opens_nothing(void **state)
{
	const struct ioasid_join_how how = { .fd = -1 };

	(void)state;
	CHECK_EQ(ioasid_fd(ctx), -1);
	CHECK_STR(ioasid_path(ctx), "");
	CHECK(!ioasid_has_map_file(ctx));
	CHECK_OK(ioasid_join_with(ctx, fake_sysfs(), NIC0, &how, &nic));
	CHECK_EQ(ioasid_device_fd(nic), -1);
	attach(nic, 0);
	check_log("joined " NIC0 "\nattached " NIC0 "\n");
	CHECK_EQ(ioasid_device_ioasid(nic), 0);
	CHECK_OK(ioasid_detach(nic));
	attach(nic, 77);
	ioasid_leave(nic);
	CHECK_EQ(fake_open_files(), 0);
	CHECK_EQ(fake_count(FAKE_OPEN) + fake_count(KABI_ATTACH), 0);
}

/* Whoever holds /dev/vfio/GROUP keeps all others out: named is as good as joined. */
static void
rule_alone_takes_the_named_on_vfio(void **state)
{
	struct ioasid_device *hd;

	(void)state;
	nic = join(GROUP_NIC);
	CHECK_ERR(ioasid_attach(nic, 0), EPERM);
	CHECK_SAYS("the first " GROUP_HD);
	user.named[0] = GROUP_HD;
	user.log[0] = '\0';
	attach(nic, 0);
	check_log("joined " GROUP_HD "\nheld " GROUP_HD "\nattached " GROUP_NIC "\n");
	/* In use for a while, and back. */
	hd = join(GROUP_HD);
	ioasid_leave(hd);
	check_log("let go " GROUP_HD "\nheld " GROUP_HD "\n");
	/* Until somebody takes it from VFIO. */
	fake_set_driver(GROUP_HD, "sym53c8xx");
	ioasid_device_event(ctx, fake_sysfs(), GROUP_HD);
	check_log("let go " GROUP_HD "\nat risk " GROUP_NIC "\n");
	CHECK_ERR(ioasid_attach(nic, 0), EPERM);
	CHECK_ERR(ioasid_check(nic), EPERM);
	fake_set_driver(GROUP_HD, "vfio-pci");
	CHECK_OK(ioasid_check(nic));
}

static void
rule_alone_holds_nothing_that_is_not_on_vfio(void **state)
{
	struct ioasid_device *hd;

	(void)state;
	nic = join(GROUP_NIC);
	hd = join(GROUP_HD);
	attach(nic, 0);
	user.log[0] = '\0';
	fake_set_driver(GROUP_HD, NULL);
	ioasid_leave(hd);
	check_log("at risk " GROUP_NIC "\n");
	check_standing(GROUP_HD, IOASID_AT_RISK);
}

static void
no_iommu_is_a_risk_of_its_own(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/name", "vfio-noiommu\n");
	nic = join(NIC0);
	CHECK_ERR(ioasid_attach(nic, 0), EPERM);
	CHECK_SAYS("no-IOMMU");
	ioasid_leave(nic);
	user.implicit = true;
	user.log[0] = '\0';
	nic = join(NIC0);
	attach(nic, 0);
	check_log("joined " NIC0 "\nattached " NIC0 "\nat risk " NIC0 "\n");
	CHECK(user.accepted);
}

static void
no_iommu_has_no_ioasid(void **state)
{
	(void)state;
	fake_sysfs_write(NIC0, "iommu_group/name", "vfio-noiommu\n");
	CHECK_ERR(ioasid_join(ctx, fake_sysfs(), NIC0, &nic), ENOTSUP);
	CHECK_SAYS(NIC0);
	CHECK_SAYS("no-IOMMU");
	CHECK(!fake_is_bound(NIC0));
}

static void
plug_other_bus(void)
{
	static const char *const names[] = { "dprc.2", "dpni.1" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fake_plug(&(struct fake_pci){ .bdf = names[i], .group = 70, .driver = "vfio-pci" });
		fake_sysfs_symlink(names[i], "subsystem", "../../../bus/fsl-mc");
	}
}

/* What the administrator has put together on such a bus is taken as a whole. */
static void
rule_alone_takes_other_buses_whole(void **state)
{
	struct fake_pci pci = { .bdf = "0000:40:00.0", .group = 70, .driver = "vfio-pci" };

	(void)state;
	plug_other_bus();
	nic = join("dprc.2");
	attach(nic, 0);
	check_log("joined dprc.2\nattached dprc.2\n");
	/* But not with anything on PCI. */
	fake_plug(&pci);
	CHECK_ERR(ioasid_attach(nic, 0), EPERM);
}

static void
other_buses_are_under_the_rule(void **state)
{
	(void)state;
	plug_other_bus();
	nic = join("dprc.2");
	CHECK_ERR(ioasid_attach(nic, ioas), EPERM);
	CHECK_SAYS("the first dpni.1");
	join("dpni.1");
	attach(nic, ioas);
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
		TEST(sibling_of_any_class),
		TEST(bridge_whose_config_cannot_be_read),
		TEST(implicit_group_accepts_nothing_unknown),
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
		TEST(sibling_that_leaves_stays_joined),
		TEST(sibling_that_cannot_be_held),
		TEST(reserved_regions_are_read_anew),
		TEST_POLICY(named_members_join_for_their_groups_sake),
		TEST_POLICY(held_member_is_handed_over),
		TEST_POLICY(held_member_is_handed_over_in_another_way),
		TEST_POLICY(named_member_that_cannot_join_is_left_to_the_rule),
		TEST_POLICY(named_member_on_no_vfio_driver),
		TEST_POLICY(policy_says_how_to_join),
		TEST_POLICY(report_names_who_is_attached),
		TEST_POLICY(risk_is_told_when_it_changes),
		TEST_POLICY(newcomer_in_an_attached_group),
		TEST_POLICY(events_of_others_are_none),
		TEST_POLICY(group_that_becomes_unreadable_is_told),
		TEST_POLICY(newcomer_while_it_is_attached),
		TEST_POLICY(group_becomes_unreadable_while_it_is_attached),
		TEST_POLICY(move_goes_back),
		TEST_POLICY(move_that_cannot_go_back),
		TEST_POLICY(event_while_the_group_is_worked_on),
		TEST_POLICY(sentence_is_that_of_the_call),
		TEST_POLICY(kernel_that_forbids_is_reported),
		TEST_POLICY(held_device_is_yielded),
		TEST_POLICY(held_device_is_yielded_when_the_work_is_done),
		TEST_POLICY(check_tells_what_attach_would),
		TEST_POLICY(check_refuses_what_attach_would),
		TEST_POLICY(no_iommu_has_no_ioasid),
		TEST_POLICY(other_buses_are_under_the_rule),
		TEST_RULE(rule_alone_opens_nothing),
		TEST_RULE(rule_alone_takes_the_named_on_vfio),
		TEST_RULE(rule_alone_holds_nothing_that_is_not_on_vfio),
		TEST_RULE(no_iommu_is_a_risk_of_its_own),
		TEST_RULE(rule_alone_takes_other_buses_whole),
	};

	return cmocka_run_group_tests_name("rule", tests, NULL, NULL);
}
