/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Who waits for whom. A set-up is held in the middle of what may take long in a kernel, and
 * meanwhile everything that must not wait for it is done, to its end, by this thread: a test
 * of order, not of time. If something did wait, this would hang, until meson ends it.
 */

#include <stdlib.h>

#include <linux/vfio.h>

#include "driver.h"

static const char *held_bdf;
static int held_ret;

static void *
set_up_held(void *arg)
{
	(void)arg;
	held_ret = set_up(held_bdf);
	return NULL;
}

static void *
release_held(void *arg)
{
	(void)arg;
	held_ret = device_release(held_bdf);
	return NULL;
}

static void
begin_held(unsigned long request, const char *bdf, void *(*fn)(void *))
{
	held_bdf = bdf;
	begin_held_thread(request, fn);
}

static void
end_held(int want)
{
	end_held_thread();
	CHECK_RET(held_ret, want);
}

/* As the telemetry thread does. */
static void
scrape(void)
{
	struct ioasid_group_info *groups[4];
	struct ioasid_device_info devices[4];
	struct ioasid_info infos[4];
	struct ioasid_map maps[64];
	unsigned int n;

	CHECK(space_hold() != NULL);
	n = ioasid_list_groups(space_ctx(), 0, groups, 4, NULL);
	ioasid_list_devices(space_ctx(), "", devices, 4, NULL);
	ioasid_list(space_ctx(), 0, infos, 4, NULL);
	ioasid_list_maps(space_ctx(), space_default(), 0, maps, 64);
	space_unhold();
	for (unsigned int i = 0; i < n; i++)
		ioasid_group_info_free(groups[i]);
}

/* As EAL's interrupt thread does, and those that ask from other processes. */
static void
events_of(const char *bdf)
{
	struct device_share share;

	event(bdf);
	event("0000:0f:00.0");
	ioasid_device_event(space_ctx(), fake_sysfs(), NULL);
	ioasid_yield(space_ctx(), bdf);
	CHECK_RET(device_share(bdf, &share), -EAGAIN);
	device_share(bdf, NULL);
	CHECK(!device_in_use(bdf));
}

static void
allocate_and_free(void)
{
	CHECK(fake_eal_memory_is_free());
	fake_eal_alloc(12);
	CHECK(!fake_eal_is_unmapped(12));
	fake_eal_free(12);
}

static void
set_up_of_another_group(void)
{
	CHECK_RET(set_up(NIC1), 0);
	allocate_and_free();
	CHECK_RET(device_release(NIC1), 0);
}

static void
nobody_waits_for_join_and_attach(void **state)
{
	static const unsigned long requests[] = { FAKE_OPEN, KABI_BIND, KABI_ATTACH, FAKE_READ_FILE,
						  FAKE_LIST };

	(void)state;
	fake_eal_name(GROUP_HD);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		begin_held(requests[i], GROUP_NIC, set_up_held);
		allocate_and_free();
		events_of(GROUP_NIC);
		scrape();
		set_up_of_another_group();
		end_held(0);
		CHECK_RET(device_release(GROUP_NIC), 0);
	}
}

/* All set-ups need the memory, but nobody else waits for it to be pinned. */
static void
nobody_waits_for_pinning(void **state)
{
	(void)state;
	begin_held(KABI_MAP, NIC0, set_up_held);
	allocate_and_free();
	events_of(NIC0);
	scrape();
	end_held(0);
}

static void
nobody_waits_for_a_reset(void **state)
{
	static const unsigned long requests[] = { FAKE_CLOSE, KABI_DETACH };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		CHECK_RET(set_up(NIC0), 0);
		begin_held(requests[i], NIC0, release_held);
		allocate_and_free();
		events_of(NIC0);
		scrape();
		set_up_of_another_group();
		end_held(0);
	}
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK_RET(set_up(GROUP_HD), 0);
	begin_held(VFIO_DEVICE_RESET, GROUP_HD, release_held);
	allocate_and_free();
	events_of(GROUP_HD);
	scrape();
	set_up_of_another_group();
	end_held(0);
}

/* What the kernel told meanwhile is not lost: whoever held the group sees to it. */
static void
event_in_the_middle_is_seen_to_afterwards(void **state)
{
	(void)state;
	allow_insecure();
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK(says("at risk: [" GROUP_HD "]"));
	/* The group's work goes on: the disk controller joins. */
	begin_held(KABI_BIND, GROUP_HD, set_up_held);
	plug_third();
	CHECK(strstr(said(), THIRD) == NULL);
	end_held(0);
	CHECK(says("at risk: [" THIRD "]"));
}

static void
request_in_the_middle_is_seen_to_afterwards(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	fake_eal_name(THIRD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK(fake_is_bound(GROUP_HD));
	fake_plug(&(struct fake_pci){ .bdf = THIRD, .group = THE_GROUP, .driver = "vfio-pci" });
	begin_held(KABI_BIND, THIRD, set_up_held);
	CHECK(fake_request(GROUP_HD));
	fake_eal_interrupts();
	CHECK(fake_is_bound(GROUP_HD));
	/* By then the disk controller has gone from VFIO, and is at risk. */
	end_held(-EPERM);
	CHECK(!fake_is_bound(GROUP_HD));
	CHECK(says("at risk: [" GROUP_HD "]"));
	CHECK_EQ(fake_attached(GROUP_NIC), space_default());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_DRIVER(nobody_waits_for_join_and_attach),
		TEST_DRIVER(nobody_waits_for_pinning),
		TEST_DRIVER(nobody_waits_for_a_reset),
		TEST_DRIVER(event_in_the_middle_is_seen_to_afterwards),
		TEST_DRIVER(request_in_the_middle_is_seen_to_afterwards),
	};

	return cmocka_run_group_tests_name("driver_order", tests, NULL, NULL);
}
