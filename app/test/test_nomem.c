/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Every allocation of the library fails in turn: ENOMEM is told, nothing is lost and
 * nothing is left. The linker puts the functions below before those of the C library
 * (--wrap), which covers what the library calls itself.
 */

#include <stdlib.h>

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

/*
 * Run a call with its first allocation failing, then its second, until it needs no
 * more; gives how many it needed. undo() ends the success.
 */
static unsigned int
fail_each(int (*call)(void), void (*undo)(void))
{
	for (unsigned int n = 1;; n++) {
		const unsigned int files = fake_open_files();
		bool fired;
		int ret;

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
		CHECK_ERR(ret, ENOMEM);
		CHECK_SAYS("out of memory");
		CHECK_EQ(fake_open_files(), files);
	}
}

static struct ioasid_device *dev;
static struct ioasid_group *group;
static struct ioasid_range *ranges;
static uint32_t id;

static int
call_open(void)
{
	return ioasid_open("/dev/iommu", &ctx);
}

static void
undo_open(void)
{
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
	CHECK_EQ(fake_count(KABI_ALLOW_IOVAS), 1);
}

static int
call_device_ranges(void)
{
	unsigned int count;

	return ioasid_device_ranges(dev, ioas, &ranges, &count);
}

static int
call_group_read(void)
{
	return ioasid_group_read(fake_sysfs(), GROUP_HD, &group);
}

static void
undo_group_read(void)
{
	ioasid_group_free(group);
}

static int
call_join(void)
{
	return ioasid_join(ctx, fake_sysfs(), GROUP_HD, 0, &dev);
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
	CHECK_EQ(fake_count(KABI_ATTACH), 1);
}

static int
call_map(void)
{
	return ioasid_map(ctx, ioas, VA, 0, PAGE, RW);
}

static void
undo_map(void)
{
	CHECK_EQ(fake_count(KABI_MAP), 1);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 1);
}

static struct ioasid_info *ioasids;
static struct ioasid_device_info *devices;
static struct ioasid_group **groups;
static unsigned int ngroups;

static int
call_list(void)
{
	unsigned int count;

	return ioasid_list(ctx, &ioasids, &count);
}

static void
undo_list(void)
{
	free(ioasids);
}

static int
call_list_devices(void)
{
	unsigned int count;

	return ioasid_list_devices(ctx, &devices, &count);
}

static void
undo_list_devices(void)
{
	free(devices);
}

static int
call_list_groups(void)
{
	return ioasid_list_groups(ctx, &groups, &ngroups);
}

static void
undo_list_groups(void)
{
	CHECK_EQ(ngroups, 2);
	ioasid_list_groups_free(groups, ngroups);
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
	return ioasid_open_fd(given, &ctx);
}

static void
open_fd_without_memory(void **state)
{
	(void)state;
	given = fake_open_elsewhere("/dev/iommu", false);
	CHECK(fail_each(call_open_fd, undo_open) >= 2);
}

static void
alloc_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_alloc, undo_alloc) >= 1);
}

static void
ranges_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_ranges, undo_ranges) >= 1);
	/* Asked again, with a larger array. */
	fake_fail(KABI_IOVA_RANGES, 1, EMSGSIZE);
	CHECK(fail_each(call_ranges, undo_ranges) >= 2);
}

static void
allow_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_allow, undo_allow) >= 1);
}

static void
device_ranges_without_memory(void **state)
{
	(void)state;
	CHECK_OK(call_allow());
	dev = join(NIC0);
	/* The kernel's answer, without the reserved region, within the allowed range. */
	CHECK(fail_each(call_device_ranges, undo_ranges) >= 3);
	CHECK_EQ(fake_count(KABI_DESTROY), 2 * fake_count(KABI_HWPT_ALLOC));
}

static void
group_read_without_memory(void **state)
{
	(void)state;
	/* The group, its members, and each of three regions. */
	CHECK(fail_each(call_group_read, undo_group_read) >= 5);
}

static void
join_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_join, undo_join) >= 7);
	CHECK(!fake_is_bound(GROUP_HD));
	CHECK_EQ(fake_count(KABI_BIND), 1);
}

static void
attach_without_memory(void **state)
{
	(void)state;
	join(GROUP_NIC);
	dev = join(GROUP_HD);
	CHECK(fail_each(call_attach, undo_attach) >= 5);
}

static void
map_without_memory(void **state)
{
	(void)state;
	CHECK(fail_each(call_map, undo_map) >= 1);
}

static void
list_without_memory(void **state)
{
	(void)state;
	join(NIC0);
	join(GROUP_HD);
	CHECK(fail_each(call_list, undo_list) >= 1);
	CHECK(fail_each(call_list_devices, undo_list_devices) >= 1);
	/* The list, and two groups. */
	CHECK(fail_each(call_list_groups, undo_list_groups) >= 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_MACHINE(open_without_memory), TEST_MACHINE(open_fd_without_memory),
		TEST(alloc_without_memory),        TEST(ranges_without_memory),
		TEST(group_read_without_memory),   TEST(join_without_memory),
		TEST(attach_without_memory),       TEST(map_without_memory),
		TEST(allow_without_memory),        TEST(device_ranges_without_memory),
		TEST(list_without_memory),
	};

	return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
