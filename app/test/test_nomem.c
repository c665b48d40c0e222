/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Every allocation of the library fails in turn: ENOMEM is told, nothing is lost and
 * nothing is left. The linker puts the functions below before those of the C library
 * (--wrap), which covers what the library calls itself.
 */

#include <stdlib.h>

#include "error.h"
#include "sys.h"
#include "test.h"

static bool armed;
static unsigned int fail_in; /* allocations until one fails; 0: it has */

static bool
fails(void)
{
	return armed && fail_in > 0 && --fail_in == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *
__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

/* Allocations whose failure the last fail_each() found to be survived. */
static unsigned int survived;

/*
 * Run a call with its first allocation failing, then its second, until it needs no more;
 * gives how many it needed. What failed can be done at once. undo() ends the success.
 */
static unsigned int
fail_each(int (*call)(void), void (*undo)(void))
{
	survived = 0;
	for (unsigned int n = 1;; n++) {
		const unsigned int files = fake_open_files(), left = fake_left();
		const unsigned int exposed = fake_exposed(NULL, 0);
		bool fired;
		int ret;

		CHECK_ERR(error_set(EXDEV, "no sentence"), EXDEV);
		fail_in = n;
		armed = true;
		ret = call();
		armed = false;
		fired = fail_in == 0;
		if (!fired) {
			CHECK_OK(ret);
			undo();
			return n - 1;
		}
		CHECK_EQ(fake_exposed(NULL, 0), exposed);
		if (ret == 0) {
			survived++;
		} else {
			CHECK_ERR(ret, ENOMEM);
			CHECK_SAYS("out of memory");
			CHECK_EQ(fake_open_files(), files);
			CHECK_EQ(fake_left(), left);
			CHECK_OK(call());
		}
		undo();
	}
}

static void
undo_nothing(void)
{
}

static struct ioasid_device *dev;
static struct ioasid_group_info *group;
static struct ioasid_range *ranges;
static uint32_t id, second_ioas;

static int
call_open(void)
{
	return ioasid_open("/dev/iommu", NULL, &ctx);
}

static void
undo_open(void)
{
	ioasid_close(ctx);
	ctx = NULL;
}

static int
call_alloc(void)
{
	return ioasid_alloc(ctx, &id);
}

static void
undo_alloc(void)
{
	/* No IOAS of the failed tries is left in the kernel. */
	CHECK_EQ(id, ioas + 1);
	CHECK_OK(ioasid_free(ctx, id));
}

static int
call_ranges(void)
{
	unsigned int count;

	return ioasid_iova_ranges(ctx, ioas, &ranges, &count);
}

static void
undo_ranges(void)
{
	free(ranges);
}

static int
call_allow(void)
{
	const struct ioasid_range range = { 0, 16 * PAGE };

	return ioasid_allow_iovas(ctx, ioas, &range, 1);
}

static void
undo_allow(void)
{
	CHECK_OK(ioasid_allow_iovas(ctx, ioas, NULL, 0));
}

static int
call_reach(void)
{
	unsigned int count;

	return ioasid_device_reach(dev, ioas, &ranges, &count);
}

static int
call_group_read(void)
{
	return ioasid_group_info_read(fake_sysfs(), GROUP_HD, &group);
}

static void
undo_group_read(void)
{
	ioasid_group_info_free(group);
}

static int
call_join(void)
{
	return ioasid_join(ctx, fake_sysfs(), GROUP_HD, &dev);
}

static void
undo_join(void)
{
	ioasid_leave(dev);
}

static int
call_attach(void)
{
	return ioasid_attach(dev, ioas);
}

static void
undo_attach(void)
{
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	CHECK_OK(ioasid_detach(dev));
	CHECK_EQ(fake_attached(GROUP_NIC) + fake_attached(GROUP_HD), 0);
}

static int
call_move(void)
{
	return ioasid_attach(dev, second_ioas);
}

static void
undo_move(void)
{
	CHECK_EQ(fake_attached(GROUP_NIC), second_ioas);
	CHECK_EQ(fake_attached(GROUP_HD), second_ioas);
	attach(dev, ioas);
}

static int
call_check(void)
{
	return ioasid_check(dev);
}

/* A LEAVE of one while the other is in use, which cannot fail. */
static int
call_leave(void)
{
	ioasid_leave(dev);
	return 0;
}

static void
undo_leave(void)
{
	struct ioasid_device_info info;

	CHECK_OK(ioasid_find_device(ctx, GROUP_HD, &info));
	CHECK(info.held);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
	dev = join(GROUP_HD);
}

static int
call_event(void)
{
	ioasid_device_event(ctx, fake_sysfs(), GROUP_HD);
	return 0;
}

static int
call_request(void)
{
	return ioasid_device_on_request(dev, -1);
}

static int
call_map(void)
{
	return ioasid_map(ctx, ioas, VA, 0, PAGE, RW);
}

static void
undo_map(void)
{
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 1);
	CHECK_OK(ioasid_unmap(ctx, ioas, 0, PAGE));
}

static void
open_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_open, undo_open) >= 2);
}

/* The descriptor stays whole, for another try. */
static int given;

static int
call_open_fd(void)
{
	return ioasid_open_fd(given, NULL, &ctx);
}

static void
reopen_given(void)
{
	undo_open();
	given = fake_open_elsewhere("/dev/iommu", false);
}

static void
open_fd_without_memory(void **state)
{
	(void)state;
	given = fake_open_elsewhere("/dev/iommu", false);
	CHECK(fail_each(call_open_fd, reopen_given) >= 2);
	CHECK_EQ(survived, 0);
	ioasid_sys->close(given);
}

static int
call_open_rule(void)
{
	return ioasid_open_rule(NULL, &ctx);
}

static void
open_rule_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_open_rule, undo_open) >= 2);
	CHECK_EQ(survived, 0);
}

static void
alloc_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_alloc, undo_alloc) >= 1);
}

/* Asked again, with a larger array. */
static int
call_ranges_again(void)
{
	int ret;

	fake_fail(KABI_IOVA_RANGES, 1, EMSGSIZE);
	ret = call_ranges();
	fake_fail_clear();
	return ret;
}

static void
ranges_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_ranges, undo_ranges) >= 1);
	CHECK(fail_each(call_ranges_again, undo_ranges) >= 2);
	CHECK_EQ(survived, 0);
}

/* What a member that has not joined reserves is cut out of the kernel's answer. */
static void
ranges_of_a_group_without_memory(void **state)
{
	(void)state;
	attach(join_implicit(GROUP_NIC), ioas);
	CHECK_EQ(fail_each(call_ranges, undo_ranges), 1 + 2);
	CHECK_EQ(survived, 0);
}

static void
allow_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_allow, undo_allow) >= 1);
}

static void
reach_without_memory(void **state)
{
	(void)state;
	CHECK_OK(call_allow());
	dev = join(NIC0);
	/* The kernel's answer, without the reserved region, within the allowed range. */
	CHECK(fail_each(call_reach, undo_ranges) >= 3);
	CHECK_EQ(survived, 0);
	CHECK_EQ(fake_count(KABI_DESTROY), fake_count(KABI_DETACH));
	CHECK_EQ(fake_attached(NIC0), 0);
}

static void
group_read_without_memory(void **state)
{
	(void)state;
	/* The group, its members, and each of three regions. */
	CHECK_EQ(fail_each(call_group_read, undo_group_read), 5);
	CHECK_EQ(survived, 0);
}

static void
check_nothing_joined(void)
{
	unsigned int total;

	CHECK(!fake_is_bound(GROUP_NIC) && !fake_is_bound(GROUP_HD));
	CHECK_EQ(ioasid_list_devices(ctx, "", NULL, 0, &total), 0);
	CHECK_EQ(total, 0);
	CHECK_EQ(ioasid_list_groups(ctx, 0, NULL, 0, &total), 0);
	CHECK_EQ(total, 0);
	CHECK_EQ(fake_open_files(), 1);
}

static void
undo_join_and_look(void)
{
	undo_join();
	check_nothing_joined();
}

static void
join_without_memory(void **state)
{
	(void)state;
	/* The group's object and directory, the group as read, the device. */
	CHECK_EQ(fail_each(call_join, undo_join_and_look), 2 + 5 + 1);
	CHECK_EQ(survived, 0);
	check_nothing_joined();
}

/* One that is held: what it takes to look its group up may be missing. */
static void
hand_over_without_memory(void **state)
{
	(void)state;
	join(GROUP_NIC);
	ioasid_leave(join(GROUP_HD));
	fail_each(call_join, undo_join);
	CHECK(fake_is_bound(GROUP_HD));
}

static void
join_pair(void)
{
	join(GROUP_NIC);
	dev = join(GROUP_HD);
	second_ioas = alloc();
}

static void
attach_without_memory(void **state)
{
	(void)state;
	join_pair();
	map(0, PAGE);
	/*
	 * The group, two regions to be kept clear; the group again and the regions are known by
	 * then. What is told needs memory, and is not told without.
	 */
	CHECK_EQ(fail_each(call_attach, undo_attach), 5 + 2 + 5 + 1);
	CHECK_EQ(survived, 1);
	CHECK_EQ(fake_pinned(), 0);
}

static void
move_without_memory(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_each(call_move, undo_move), 5 + 2 + 5 + 1);
	CHECK_EQ(survived, 1);
	CHECK_OK(ioasid_free(ctx, second_ioas));
}

static void
check_without_memory(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_each(call_check, undo_nothing), 5 + 1);
	CHECK_EQ(survived, 1);
}

static void
leave_without_memory(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	/* Nothing is needed to hold it; then the group is looked at. */
	CHECK_EQ(fail_each(call_leave, undo_leave), 5 + 1);
}

/* The last one in use: all go, and it takes no memory. */

static int
call_last_leave(void)
{
	ioasid_leave(dev);
	return 0;
}

static void
undo_last_leave(void)
{
	check_nothing_joined();
	CHECK_OK(ioasid_free(ctx, second_ioas));
}

static void
last_leave_without_memory(void **state)
{
	struct ioasid_device *nic;

	(void)state;
	nic = join(GROUP_NIC);
	dev = join(GROUP_HD);
	second_ioas = alloc();
	attach(dev, second_ioas);
	ioasid_leave(nic);
	CHECK_EQ(fail_each(call_last_leave, undo_last_leave), 0);
}

static void
event_without_memory(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_each(call_event, undo_nothing), 5 + 1);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
}

static void
request_without_memory(void **state)
{
	(void)state;
	dev = join(NIC0);
	CHECK_EQ(fail_each(call_request, undo_nothing), 1);
	CHECK_EQ(survived, 0);
}

/* What is at risk is told rather twice than not at all. */

static unsigned int risks, unknowns;
static int last_error;

static bool
name_hd(const struct ioasid_member *m, void *arg)
{
	(void)arg;
	return strcmp(m->bdf, GROUP_HD) == 0;
}

static void
accept(const char *bdf, struct ioasid_join_how *how, void *arg)
{
	(void)bdf;
	(void)arg;
	how->flags = IOASID_IMPLICIT_GROUP;
}

static void
count_reports(const struct ioasid_report *r, void *arg)
{
	(void)arg;
	risks += r->news == IOASID_NEWS_AT_RISK;
	unknowns += r->news == IOASID_NEWS_UNKNOWN;
	if (r->err < 0)
		last_error = r->err;
}

static int
setup_policy(void **state)
{
	const struct ioasid_policy policy = { .how = accept, .report = count_reports };

	risks = unknowns = 0;
	last_error = 0;
	setup_machine(state);
	return ioasid_open(NULL, &policy, &ctx) == 0 ? ioasid_alloc(ctx, &ioas) : -1;
}

static void
risk_without_memory(void **state)
{
	(void)state;
	dev = join(GROUP_NIC);
	for (unsigned int n = 1;; n++) {
		risks = 0;
		fail_in = n;
		armed = true;
		ioasid_attach(dev, ioas);
		armed = false;
		if (ioasid_device_ioasid(dev) == 0) {
			CHECK_EQ(risks, 0);
			continue;
		}
		CHECK(risks >= 1);
		CHECK_OK(ioasid_detach(dev));
		if (fail_in > 0)
			break;
	}
	/* While it is attached, a group that cannot be read for want of memory is told, too. */
	attach(dev, ioas);
	for (unsigned int n = 1; n <= 5; n++) {
		fail_in = n;
		armed = true;
		ioasid_device_event(ctx, fake_sysfs(), GROUP_HD);
		armed = false;
		CHECK_EQ(fail_in, 0);
		CHECK_EQ(unknowns, n);
		CHECK_EQ(last_error, -ENOMEM);
	}
}

/* A group by itself */

static struct ioasid_group *opened;

static int
setup_named(void **state)
{
	const struct ioasid_policy policy = { .named = name_hd, .report = count_reports };

	setup_machine(state);
	fake_unplug(GROUP_NIC);
	if (ioasid_open(NULL, &policy, &ctx) < 0 || ioasid_alloc(ctx, &ioas) < 0)
		return -1;
	return ioasid_alloc(ctx, &second_ioas);
}

static int
call_group_open(void)
{
	return ioasid_group_open(ctx, fake_sysfs(), THE_GROUP, &opened);
}

static void
undo_group_open(void)
{
	unsigned int total;

	ioasid_group_close(opened);
	CHECK_EQ(ioasid_list_groups(ctx, 0, NULL, 0, &total), 0);
	CHECK_EQ(total, 0);
	CHECK_EQ(fake_open_files(), 1);
}

static int
call_bind(void)
{
	return ioasid_group_bind(opened, second_ioas);
}

static void
undo_bind(void)
{
	CHECK_EQ(fake_attached(GROUP_HD), second_ioas);
	CHECK_OK(ioasid_group_unbind(opened));
	CHECK_EQ(fake_attached(GROUP_HD), 0);
}

static int
call_unbind(void)
{
	return ioasid_group_unbind(opened);
}

static int
call_group_close(void)
{
	ioasid_group_close(opened);
	return 0;
}

static void
undo_group_close(void)
{
	CHECK_OK(call_group_open());
}

/*
 * A member that is named and cannot join for want of memory is left to the rule, so there is
 * none that joined: ENODEV, told by a report.
 */
static void
group_open_without_memory(void **state)
{
	(void)state;
	for (unsigned int n = 1;; n++) {
		int ret;

		last_error = 0;
		fail_in = n;
		armed = true;
		ret = call_group_open();
		armed = false;
		if (fail_in > 0) {
			CHECK_OK(ret);
			CHECK_EQ(n - 1, 2 + 5 + 1);
			break;
		}
		CHECK(ret == -ENOMEM || (ret == -ENODEV && last_error == -ENOMEM));
		CHECK_EQ(fake_open_files(), 1);
		CHECK_OK(call_group_open());
		undo_group_open();
	}
	undo_group_open();
}

static void
group_bind_without_memory(void **state)
{
	(void)state;
	CHECK_OK(call_group_open());
	dev = join(GROUP_HD);
	CHECK_EQ(fail_each(call_bind, undo_bind), 5 + 2 + 5 + 1);
	CHECK_EQ(survived, 1);
	/* What takes away needs none. */
	CHECK_OK(call_bind());
	CHECK_EQ(fail_each(call_unbind, undo_nothing), 0);
	ioasid_leave(dev);
	CHECK_EQ(fail_each(call_group_close, undo_group_close), 0);
}

static void
map_without_memory(void **state)
{
	(void)state;
	CHECK_EQ(fail_each(call_map, undo_map), 1);
	CHECK_EQ(survived, 0);
}

/* Lists are copied to where the caller says; but groups, of which those are left out. */
static void
list_without_memory(void **state)
{
	struct ioasid_group_info *groups[2];
	struct ioasid_device_info devices[2];
	struct ioasid_info infos[1];
	unsigned int n, total;

	(void)state;
	join(NIC0);
	join(GROUP_HD);
	fail_in = 1;
	armed = true;
	CHECK_EQ(ioasid_list(ctx, 0, infos, 1, NULL), 1);
	CHECK_EQ(ioasid_list_devices(ctx, "", devices, 2, NULL), 2);
	CHECK_EQ(fail_in, 1);
	for (n = 1;; n++) {
		unsigned int missing = 0;

		fail_in = n;
		armed = true;
		CHECK_EQ(ioasid_list_groups(ctx, 0, groups, 2, &total), 2);
		armed = false;
		CHECK_EQ(total, 2);
		for (unsigned int i = 0; i < 2; i++) {
			missing += groups[i] == NULL;
			ioasid_group_info_free(groups[i]);
		}
		CHECK_EQ(missing, fail_in == 0);
		if (fail_in > 0)
			break;
	}
	CHECK_EQ(n - 1, 2 * 3);
}

#define TEST_POLICY(f) cmocka_unit_test_setup_teardown(f, setup_policy, teardown)
#define TEST_NAMED(f)  cmocka_unit_test_setup_teardown(f, setup_named, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_MACHINE(open_without_memory),
		TEST_MACHINE(open_fd_without_memory),
		TEST_MACHINE(open_rule_without_memory),
		TEST(alloc_without_memory),
		TEST(ranges_without_memory),
		TEST(ranges_of_a_group_without_memory),
		TEST(allow_without_memory),
		TEST(reach_without_memory),
		TEST(group_read_without_memory),
		TEST(join_without_memory),
		TEST(hand_over_without_memory),
		TEST(attach_without_memory),
		TEST(move_without_memory),
		TEST(check_without_memory),
		TEST(leave_without_memory),
		TEST(last_leave_without_memory),
		TEST(event_without_memory),
		TEST(request_without_memory),
		TEST_POLICY(risk_without_memory),
		TEST_NAMED(group_open_without_memory),
		TEST_NAMED(group_bind_without_memory),
		TEST(map_without_memory),
		TEST(list_without_memory),
	};

	return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
