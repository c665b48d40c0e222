/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Every allocation of the library fails in turn, and every call of the kernel with every errno
 * that the kernel has for it: that is told, nothing is lost and nothing is left, and the same
 * then succeeds. The linker puts the functions below before those of the C library (--wrap),
 * which covers what the library calls itself.
 */

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/vfio.h>

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
fail_each_allocation(int (*call)(void), void (*undo)(void))
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

/* What the kernel can say (shared facts: Linux 6.12 and 7.3), and what files can. */
struct kind {
	const char *name;
	unsigned long request;
	int errnos[10];
};

static const struct kind kinds[] = {
	{ "open",
	  FAKE_OPEN,
	  { ENOENT, EACCES, EPERM, ENODEV, ENXIO, EBUSY, EMFILE, ENFILE, ENOMEM } },
	{ "fstat", FAKE_RDEV, { EBADF, EOVERFLOW } },
	{ "fcntl", FAKE_ADOPT, { EBADF, EACCES } },
	{ "IOAS_ALLOC", KABI_IOAS_ALLOC, { ENOMEM, ENOTTY, E2BIG } },
	{ "DESTROY", KABI_DESTROY, { EBUSY, ENOENT } },
	{ "ALLOW_IOVAS", KABI_ALLOW_IOVAS, { EADDRINUSE, EINVAL, ENOENT, ENOMEM } },
	{ "IOVA_RANGES", KABI_IOVA_RANGES, { EMSGSIZE, ENOENT, ENOMEM } },
	{ "MAP", KABI_MAP, { EEXIST, EINVAL, EFAULT, ENOMEM, EOVERFLOW, ENOENT } },
	{ "MAP_FILE", KABI_MAP_FILE, { EEXIST, EINVAL, EFAULT, ENOMEM, EOVERFLOW, ENOENT, EBADF } },
	{ "UNMAP", KABI_UNMAP, { ENOENT, EINVAL, EOVERFLOW, ENOMEM } },
	{ "VFIO_IOAS", KABI_VFIO_IOAS, { ENOENT, ENODEV } },
	{ "BIND", KABI_BIND, { EBUSY, EPERM, EINVAL, EBADFD, EBADF, EACCES, ENODEV, ENOMEM } },
	{ "ATTACH",
	  KABI_ATTACH,
	  { EINVAL, ENOENT, EADDRINUSE, EBUSY, ENOMEM, EFAULT, EPERM, ENODEV } },
	{ "DETACH", KABI_DETACH, { EINVAL, ENODEV, EBUSY } },
	{ "FEATURE", KABI_FEATURE, { ENOTTY, EINVAL, EFAULT, ENODEV } },
	{ "GET_INFO", VFIO_DEVICE_GET_INFO, { EINVAL, ENODEV, EIO } },
	{ "GET_REGION_INFO", VFIO_DEVICE_GET_REGION_INFO, { EINVAL, ENODEV, EIO } },
	{ "SET_IRQS", VFIO_DEVICE_SET_IRQS, { EINVAL, ENODEV, ENOMEM, EBUSY } },
	{ "RESET", VFIO_DEVICE_RESET, { EINVAL, ENODEV, EIO, EAGAIN } },
	{ "pread", FAKE_PREAD, { EIO, ENODEV, EINVAL } },
	{ "pwrite", FAKE_PWRITE, { EIO, ENODEV, EINVAL } },
	{ "read of sysfs",
	  FAKE_READ_FILE,
	  { ENOENT, EACCES, EIO, ENODEV, EMFILE, ENFILE, ENOMEM } },
	{ "link of sysfs", FAKE_READ_LINK, { ENOENT, EACCES, EIO, ENOTDIR, ENAMETOOLONG, ENOMEM } },
	{ "directory", FAKE_LIST, { ENOENT, EACCES, ENOTDIR, EMFILE, ENFILE, ENOMEM } },
};

/* What a call that fails leaves as it was. */
struct state {
	unsigned int files, exposed, devices, groups, ioasids;
	uint64_t pinned, mapped;
	/* But where what is to be undone cannot be: an empty IOASID is left attached. */
	unsigned int left;
	uint32_t attached[4];
};

static bool
is_there(const char *bdf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", fake_sysfs(), bdf);
	return access(path, F_OK) == 0;
}

static struct state
state_now(void)
{
	static const char *const bdfs[] = { NIC0, NIC1, GROUP_NIC, GROUP_HD };
	struct state now;

	memset(&now, 0, sizeof(now)); /* it is compared whole */
	now.files = fake_open_files();
	now.left = fake_left();
	now.exposed = fake_exposed(NULL, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bdfs); i++)
		now.attached[i] = is_there(bdfs[i]) ? fake_attached(bdfs[i]) : 0;
	now.pinned = fake_pinned();
	if (ctx != NULL) {
		ioasid_list(ctx, 0, NULL, 0, &now.ioasids);
		ioasid_list_devices(ctx, "", NULL, 0, &now.devices);
		ioasid_list_groups(ctx, 0, NULL, 0, &now.groups);
		now.mapped = total_mapped(ctx);
	}
	return now;
}

static unsigned int injected[ARRAY_SIZE(kinds)], refused[ARRAY_SIZE(kinds)];

/*
 * What the library tells of it: the kernel's own errno, but where that would say something
 * else than it means.
 */
static bool
is_right(const struct kind *kind, int err, int told)
{
	switch (kind->request) {
	case KABI_BIND: /* EACCES is of the node */
		return told == (err == EACCES ? EKEYREJECTED : err);
	case KABI_IOAS_ALLOC: /* also asked whether it is an iommufd at all */
		return told == err || (told == ENOTTY && err != ENOMEM);
	case FAKE_RDEV: /* it is not the node that was wanted */
		return told == ENOTTY || told == EPROTO;
	case FAKE_READ_FILE:
	case FAKE_READ_LINK:
	case FAKE_LIST: /* sysfs cannot be read; or what is looked for is not there */
		return told == (err == ENOMEM ? ENOMEM : EPROTO) ||
		       (err == ENOENT && (told == ENOENT || told == ENODEV));
	default:
		return told == err;
	}
}

/* false: there was no nth call of the kind, so that all went well. */
static bool
fail_call(const struct kind *kind, int err, unsigned int nth, int (*call)(void), void (*undo)(void))
{
	const struct state before = state_now();
	struct state after;
	bool fired;
	int ret;

	error_set(EXDEV, "no sentence");
	fake_fail(kind->request, nth, err);
	ret = call();
	fired = fake_fail_clear() > 0;
	if (fired)
		injected[kind - kinds]++;
	if (fired && ret != 0) {
		refused[kind - kinds]++;
		after = state_now();
		if (!is_right(kind, err, -ret) || strcmp(ioasid_error(), "no sentence") == 0)
			fail_msg("%s, %s, is told as %s: %s", kind->name, strerror(err),
				 strerror(-ret), ioasid_error());
		CHECK(memcmp(&before, &after,
			     kind->request == KABI_DETACH ? offsetof(struct state, left)
							  : sizeof(before)) == 0);
		ret = call();
	}
	CHECK_OK(ret);
	undo();
	return fired;
}

static void
fail_each_call(int (*call)(void), void (*undo)(void))
{
	for (const struct kind *kind = kinds; kind < kinds + ARRAY_SIZE(kinds); kind++) {
		for (const int *err = kind->errnos; *err != 0; err++) {
			unsigned int nth = 1;

			while (fail_call(kind, *err, nth, call, undo))
				nth++;
		}
	}
}

/* Of both kinds; gives how many allocations there were. */
static unsigned int
fail_each(int (*call)(void), void (*undo)(void))
{
	const unsigned int n = fail_each_allocation(call, undo);

	fail_each_call(call, undo);
	return n;
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

/* It is held; one that does not answer leaves, which resets it. */
static void
undo_leave(void)
{
	struct ioasid_device_info info;

	CHECK(!fake_is_bus_master(GROUP_HD));
	if (ioasid_find_device(ctx, GROUP_HD, &info) == 0) {
		CHECK(info.held);
		CHECK_EQ(fake_attached(GROUP_HD), ioas);
	} else {
		CHECK(!fake_is_bound(GROUP_HD));
		CHECK_EQ(fake_attached(GROUP_NIC), ioas);
	}
	dev = join(GROUP_HD);
	fake_set_bus_master(GROUP_HD, true);
	CHECK_OK(ioasid_attach(dev, ioas));
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
open_with_faults(void **state)
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
open_fd_with_faults(void **state)
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
open_rule_with_faults(void **state)
{
	(void)state;
	CHECK(fail_each(call_open_rule, undo_open) >= 2);
	CHECK_EQ(survived, 0);
}

static void
alloc_with_faults(void **state)
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
ranges_with_faults(void **state)
{
	(void)state;
	CHECK(fail_each(call_ranges, undo_ranges) >= 1);
	CHECK(fail_each_allocation(call_ranges_again, undo_ranges) >= 2);
	CHECK_EQ(survived, 0);
}

/* What a member that has not joined reserves is cut out of the kernel's answer. */
static void
ranges_of_a_group_with_faults(void **state)
{
	(void)state;
	attach(join_implicit(GROUP_NIC), ioas);
	CHECK_EQ(fail_each(call_ranges, undo_ranges), 1 + 2);
	CHECK_EQ(survived, 0);
}

static void
allow_with_faults(void **state)
{
	(void)state;
	CHECK(fail_each(call_allow, undo_allow) >= 1);
}

static void
reach_with_faults(void **state)
{
	(void)state;
	CHECK_OK(call_allow());
	dev = join(NIC0);
	/* The kernel's answer, without the reserved region, within the allowed range. */
	CHECK(fail_each_allocation(call_reach, undo_ranges) >= 3);
	CHECK_EQ(survived, 0);
	CHECK_EQ(fake_count(KABI_DESTROY), fake_count(KABI_DETACH));
	fail_each_call(call_reach, undo_ranges);
	CHECK_EQ(fake_attached(NIC0), 0);
}

static void
group_read_with_faults(void **state)
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
join_with_faults(void **state)
{
	(void)state;
	/* The group's object and directory, the group as read, the device. */
	CHECK_EQ(fail_each(call_join, undo_join_and_look), 2 + 5 + 1);
	CHECK_EQ(survived, 0);
	check_nothing_joined();
}

static int
call_join_physical(void)
{
	const uint8_t token[IOASID_TOKEN_SIZE] = { 1 };
	const struct ioasid_join_how how = { .fd = -1, .vf_token = token };

	return ioasid_join_with(ctx, fake_sysfs(), NIC0, &how, &dev);
}

/* As before Linux 6.17: a call of its own sets the VF token, where there is one. */
static void
join_physical_with_faults(void **state)
{
	(void)state;
	fake_set_physical(NIC0);
	fail_each(call_join_physical, undo_join);
}

/* One that is held: what it takes to look its group up may be missing. */
static void
hand_over_with_faults(void **state)
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
attach_with_faults(void **state)
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
move_with_faults(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_each(call_move, undo_move), 5 + 2 + 5 + 1);
	CHECK_EQ(survived, 1);
	CHECK_OK(ioasid_free(ctx, second_ioas));
}

static void
check_with_faults(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_each(call_check, undo_nothing), 5 + 1);
	CHECK_EQ(survived, 1);
}

static void
leave_with_faults(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	fake_set_bus_master(GROUP_HD, true);
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
join_and_leave_one(void)
{
	struct ioasid_device *nic = join(GROUP_NIC);

	dev = join(GROUP_HD);
	second_ioas = alloc();
	attach(dev, second_ioas);
	ioasid_leave(nic);
}

static void
undo_last_leave(void)
{
	check_nothing_joined();
	CHECK_OK(ioasid_free(ctx, second_ioas));
	join_and_leave_one();
}

static void
last_leave_with_faults(void **state)
{
	(void)state;
	join_and_leave_one();
	CHECK_EQ(fail_each(call_last_leave, undo_last_leave), 0);
}

static void
event_with_faults(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	CHECK_EQ(fail_each(call_event, undo_nothing), 5 + 1);
	CHECK_EQ(fake_attached(GROUP_HD), ioas);
}

static void
request_with_faults(void **state)
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
risk_with_faults(void **state)
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
group_open_with_faults(void **state)
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
group_bind_with_faults(void **state)
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
map_with_faults(void **state)
{
	(void)state;
	CHECK_EQ(fail_each(call_map, undo_map), 1);
	CHECK_EQ(survived, 0);
}

/* Pinned at once. */
static void
map_of_a_device_with_faults(void **state)
{
	(void)state;
	attach(join(NIC0), ioas);
	CHECK_EQ(fail_each(call_map, undo_map), 1);
	CHECK_EQ(survived, 0);
	CHECK_EQ(fake_pinned(), 0);
}

#define FILE_FD 77

static int
call_map_file(void)
{
	return ioasid_map_file(ctx, ioas, VA, 0, PAGE, RW, FILE_FD, 0);
}

static void
map_file_with_faults(void **state)
{
	(void)state;
	fake_machine.file = FILE_FD;
	fake_machine.file_size = PAGE;
	attach(join(NIC0), ioas);
	CHECK_EQ(fail_each(call_map_file, undo_map), 1);
	CHECK_EQ(survived, 0);
}

static int
call_unmap(void)
{
	return ioasid_unmap(ctx, ioas, 0, 2 * PAGE);
}

static void
map_two(void)
{
	map(0, PAGE);
	map(PAGE, PAGE);
}

static void
unmap_with_faults(void **state)
{
	(void)state;
	attach(join(NIC0), ioas);
	map_two();
	CHECK_EQ(fail_each(call_unmap, map_two), 0);
}

static int
call_free(void)
{
	return ioasid_free(ctx, id);
}

static void
undo_free(void)
{
	CHECK_OK(call_alloc());
}

static void
free_with_faults(void **state)
{
	(void)state;
	CHECK_OK(call_alloc());
	CHECK_EQ(fail_each(call_free, undo_free), 0);
}

static int
call_compat(void)
{
	return ioasid_set_compat(ctx, ioas);
}

static void
undo_compat(void)
{
	CHECK_EQ(fake_compat(ioasid_fd(ctx)), ioas);
}

static void
compat_with_faults(void **state)
{
	(void)state;
	CHECK_EQ(fail_each(call_compat, undo_compat), 0);
}

static int
call_detach(void)
{
	return ioasid_detach(dev);
}

static void
undo_detach(void)
{
	CHECK_EQ(fake_attached(GROUP_NIC) + fake_attached(GROUP_HD), 0);
	attach(dev, ioas);
}

static void
detach_with_faults(void **state)
{
	(void)state;
	join_pair();
	attach(dev, ioas);
	fail_each(call_detach, undo_detach);
}

static int
call_stop(void)
{
	return ioasid_stop(dev);
}

static void
undo_stop(void)
{
	CHECK(!fake_is_bus_master(NIC0));
	fake_set_bus_master(NIC0, true);
}

static void
stop_with_faults(void **state)
{
	(void)state;
	dev = join(NIC0);
	fake_set_bus_master(NIC0, true);
	CHECK_EQ(fail_each(call_stop, undo_stop), 0);
}

static int
call_join_ahead(void)
{
	return ioasid_join_ahead(ctx, fake_sysfs(), GROUP_HD);
}

static void
undo_join_ahead(void)
{
	ioasid_leave_unused(ctx, GROUP_HD);
	check_nothing_joined();
}

static void
join_ahead_with_faults(void **state)
{
	(void)state;
	CHECK_EQ(fail_each(call_join_ahead, undo_join_ahead), 2 + 5 + 1);
}

/* Lists are copied to where the caller says; but groups, of which those are left out. */
static void
list_with_faults(void **state)
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

/* Somebody is at risk, whatever cannot be read. */
static void
no_fault_lets_the_rule_pass(void **state)
{
	bool fired;

	(void)state;
	dev = join(GROUP_NIC);
	for (const struct kind *kind = kinds; kind < kinds + ARRAY_SIZE(kinds); kind++) {
		for (const int *err = kind->errnos; *err != 0; err++) {
			unsigned int nth = 1;

			do {
				fake_fail(kind->request, nth++, *err);
				CHECK(ioasid_attach(dev, ioas) < 0);
				fired = fake_fail_clear() > 0;
				CHECK_EQ(fake_exposed(NULL, 0), 0);
				CHECK_EQ(fake_attached(GROUP_NIC), 0);
			} while (fired);
		}
	}
}

/* The last one: no kind of call is in the table for nothing. */
static void
every_kind_was_there(void **state)
{
	unsigned int all = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		print_message("%s: %u failed, of which %u were told\n", kinds[i].name, injected[i],
			      refused[i]);
		CHECK(injected[i] > 0);
		all += injected[i];
	}
	print_message("%u calls failed, each in its turn\n", all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_MACHINE(open_with_faults),
		TEST_MACHINE(open_fd_with_faults),
		TEST_MACHINE(open_rule_with_faults),
		TEST(alloc_with_faults),
		TEST(ranges_with_faults),
		TEST(ranges_of_a_group_with_faults),
		TEST(allow_with_faults),
		TEST(reach_with_faults),
		TEST(group_read_with_faults),
		TEST(join_with_faults),
		TEST(join_physical_with_faults),
		TEST(hand_over_with_faults),
		TEST(attach_with_faults),
		TEST(move_with_faults),
		TEST(check_with_faults),
		TEST(leave_with_faults),
		TEST(last_leave_with_faults),
		TEST(event_with_faults),
		TEST(request_with_faults),
		TEST_POLICY(risk_with_faults),
		TEST_NAMED(group_open_with_faults),
		TEST_NAMED(group_bind_with_faults),
		TEST(map_with_faults),
		TEST(map_of_a_device_with_faults),
		TEST(map_file_with_faults),
		TEST(unmap_with_faults),
		TEST(free_with_faults),
		TEST(compat_with_faults),
		TEST(detach_with_faults),
		TEST(stop_with_faults),
		TEST(join_ahead_with_faults),
		TEST(no_fault_lets_the_rule_pass),
		cmocka_unit_test(every_kind_was_there),
		TEST(list_with_faults),
	};

	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
