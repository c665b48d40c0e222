/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Every call of the kernel, every look into sysfs and every allocation fails in turn, in
 * each way that a device is set up, in native and in container mode: it is refused with a
 * reason, nothing is left, nobody is exposed, and the same then succeeds.
 */

#include <stdlib.h>
#include <unistd.h>

#include <rte_vfio.h>

#include "driver.h"
#include "user_map.h"

/* One way to have devices: what it does, and how it is undone. 0 or -errno. */
struct way {
	const char *name;
	int (*go)(void);
	void (*undo)(void);
};

static int
go_alone(void)
{
	return set_up(NIC0);
}

static void
undo_alone(void)
{
	CHECK_RET(device_release(NIC0), 0);
}

static int
go_group(void)
{
	int ret = set_up(GROUP_NIC);

	if (ret < 0)
		return ret;
	ret = set_up(GROUP_HD);
	if (ret < 0)
		device_release(GROUP_NIC);
	return ret;
}

static void
undo_group(void)
{
	CHECK_RET(device_release(GROUP_HD), 0);
	CHECK_RET(device_release(GROUP_NIC), 0);
}

static int container;

static int
go_container(void)
{
	int ret;

	container = container_create();
	if (container < 0)
		return container;
	ret = container_group_bind(container, THE_GROUP);
	if (ret >= 0)
		ret = set_up(GROUP_NIC);
	if (ret < 0)
		CHECK_RET(container_destroy(container), 0);
	return ret;
}

static void
undo_container(void)
{
	CHECK_RET(container_destroy(container), 0);
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	CHECK_RET(device_release(GROUP_NIC), 0);
}

/* Bound while it is in use: it moves. */
static int
go_move(void)
{
	int ret = set_up(NIC0);

	if (ret < 0)
		return ret;
	container = container_create();
	ret = container < 0 ? container : container_group_bind(container, NIC0_GROUP);
	if (ret >= 0)
		return 0;
	CHECK(fake_attached(NIC0) == space_default());
	if (container >= 0)
		CHECK_RET(container_destroy(container), 0);
	CHECK_RET(device_release(NIC0), 0);
	return ret;
}

static void
undo_move(void)
{
	CHECK_RET(container_destroy(container), 0);
	CHECK_RET(device_release(NIC0), 0);
}

/* Stock EAL's part is left out: it begins where ours ends. */
static int
go_stock(void)
{
	int ret = device_admit(fake_sysfs(), GROUP_NIC);

	if (ret < 0)
		return ret;
	ret = device_admitted(GROUP_NIC);
	if (ret < 0)
		device_release(GROUP_NIC);
	return ret;
}

static void
undo_stock(void)
{
	CHECK_RET(device_release(GROUP_NIC), 0);
}

/* Memory that is not DPDK's. */
#define USER_VA   (VA + PAGE)
#define USER_IOVA UINT64_C(0x40000000)

static int
go_user_map(void)
{
	int ret = set_up(NIC0);

	if (ret < 0)
		return ret;
	ret = user_map(space_default(), USER_VA, USER_IOVA, PAGE);
	if (ret < 0)
		CHECK_RET(device_release(NIC0), 0);
	return ret;
}

static void
undo_user_map(void)
{
	CHECK_RET(user_unmap(space_default(), USER_IOVA, PAGE), 0);
	CHECK_RET(device_release(NIC0), 0);
}

/* Bound and unbound again: attached nowhere, until it is released. */
static int
go_unbind(void)
{
	int ret = go_container();

	if (ret < 0)
		return ret;
	ret = container_group_unbind(container, THE_GROUP);
	if (ret == 0)
		return 0;
	undo_container();
	return ret;
}

static void
undo_unbind(void)
{
	CHECK_EQ(fake_attached(GROUP_NIC), 0);
	undo_container();
}

/* A page of DPDK's goes and another comes: it is mapped, or marked as out of reach. */
#define A_PAGE (FAKE_EAL_PAGES - 1)

static int
go_memory(void)
{
	int ret = set_up(NIC0);

	if (ret < 0)
		return ret;
	fake_eal_free(A_PAGE);
	fake_eal_alloc(A_PAGE);
	if (!fake_eal_is_unmapped(A_PAGE))
		return 0;
	CHECK_RET(device_release(NIC0), 0);
	return -ENOMEM;
}

static const struct way ways[] = {
	{ "a device that is alone", go_alone, undo_alone },
	{ "two of one group", go_group, undo_group },
	{ "a container bound first", go_container, undo_container },
	{ "a group that moves", go_move, undo_move },
	{ "stock EAL", go_stock, undo_stock },
	{ "memory of the application's", go_user_map, undo_user_map },
	{ "a group bound and unbound", go_unbind, undo_unbind },
	{ "memory that comes", go_memory, undo_alone },
};

static unsigned int injected;

/* As before it, and told why. */
static void
check_nothing_left(void)
{
	const char *bdfs[4];

	CHECK_EQ(fake_exposed(bdfs, 4), 0);
	CHECK_EQ(fake_open_files(), 1);
	CHECK_EQ(fake_pinned(), 0);
	CHECK_EQ(fake_eal_watched(), 0);
	CHECK(fake_eal_memory_is_free());
	CHECK_EQ(ioasid_list(space_ctx(), 0, NULL, 0, &(unsigned int){ 0 }), 0);
}

/* One failure; false: it was beyond what is called, so that all went well. */
static bool
try_failure(const struct way *way, bool allocation, unsigned int nth, int err)
{
	bool fired;
	int ret;

	said();
	if (allocation)
		fail_allocation(nth);
	else
		fake_fail(FAKE_ANY, nth, err);
	ret = way->go();
	fired = allocation ? allocations() >= nth : fake_fail_clear() > 0;
	fail_allocation(0);
	if (ret < 0) {
		if (!says("IOASID: "))
			fail_msg("%s, %s %u, errno %d: not a word", way->name,
				 allocation ? "allocation" : "call", nth, err);
		check_nothing_left();
		injected++;
		CHECK_RET(way->go(), 0);
	}
	way->undo();
	check_nothing_left();
	return fired;
}

static void
fail_each(const struct way *way, bool allocation, int err)
{
	unsigned int nth = 1;

	while (try_failure(way, allocation, nth, err))
		nth++;
	/* It is called at all. */
	CHECK(nth > 5);
}

static void
name_all(void)
{
	fake_eal_name(NIC0);
	fake_eal_name(GROUP_NIC);
	fake_eal_name(GROUP_HD);
}

static void
each_call_fails(void **state)
{
	static const int errnos[] = { EMFILE, ENOMEM, EACCES, EPERM, EBUSY, EINVAL, ENODEV, EIO };

	(void)state;
	name_all();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		for (size_t j = 0; j < ARRAY_SIZE(errnos); j++)
			fail_each(&ways[i], false, errnos[j]);
	print_message("%u calls failed, each in its turn\n", injected);
}

static void
each_allocation_fails(void **state)
{
	(void)state;
	name_all();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		fail_each(&ways[i], true, 0);
}

/* Without the others' names: what cannot be read must not let it pass. */
static void
no_failure_lets_the_rule_pass(void **state)
{
	static const unsigned long kinds[] = { FAKE_READ_FILE, FAKE_READ_LINK, FAKE_LIST };
	unsigned int passed = 0, nth;
	int ret;

	(void)state;
	fake_eal_name(GROUP_NIC);
	for (int mode = 0; mode < 2; mode++) {
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			for (nth = 1; nth < 200; nth++) {
				fake_fail(kinds[i], nth, EMFILE);
				ret = mode == 0 ? set_up(GROUP_NIC)
						: device_admit(fake_sysfs(), GROUP_NIC);
				passed += ret >= 0;
				if (fake_fail_clear() == 0)
					break;
			}
			CHECK(nth > 2 && nth < 200);
		}
	}
	CHECK_EQ(passed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_DRIVER(each_call_fails),
		TEST_DRIVER(each_allocation_fails),
		TEST_DRIVER(no_failure_lets_the_rule_pass),
	};

	return cmocka_run_group_tests_name("driver_faults", tests, NULL, NULL);
}
