/* SPDX-License-Identifier: BSD-3-Clause */

/* The plugin's core: what a set-up, a release, a container, an event do. */

#include <unistd.h>
#include <rte_vfio.h>

#include "driver.h"
#include "memory.h"
#include "user_map.h"

#define DEFAULT RTE_VFIO_DEFAULT_CONTAINER_FD

static uint32_t
default_ioasid(void)
{
	return space_default();
}

/* ---- set-up and release */

static void
set_up_attaches_and_maps_all_memory(void **state)
{
	(void)state;
	CHECK_RET(set_up(NIC0), 0);
	CHECK_EQ(fake_attached(NIC0), default_ioasid());
	CHECK_EQ(fake_pinned(), 12 * FAKE_EAL_PAGE);
	/* Eight that are never freed by one map, four by themselves. */
	CHECK_EQ(fake_areas(ioasid_fd(space_ctx()), default_ioasid()), 5);
	CHECK(says("24 MiB of DPDK's memory mapped by 5 call(s)"));
	CHECK_RET(set_up(NIC1), 0);
	CHECK_EQ(fake_areas(ioasid_fd(space_ctx()), default_ioasid()), 5);
}

static void
set_up_twice(void **state)
{
	(void)state;
	CHECK_RET(set_up(NIC0), 0);
	CHECK_RET(set_up(NIC0), -EBUSY);
	CHECK(says("is set up already"));
	CHECK_RET(device_release(NIC0), 0);
	CHECK_RET(device_release(NIC0), -ENODEV);
	CHECK(!fake_is_bound(NIC0));
	CHECK_RET(set_up(NIC0), 0);
}

static void
unnamed_member_refuses_the_group(void **state)
{
	(void)state;
	fake_eal_name(GROUP_NIC);
	CHECK_RET(set_up(GROUP_NIC), -EPERM);
	CHECK(says(GROUP_NIC " refused: its IOMMU group 13 holds other devices"));
	CHECK(!fake_is_bound(GROUP_NIC));
	CHECK_EQ(fake_pinned(), 0);
}

static void
named_member_joins_and_is_attached(void **state)
{
	(void)state;
	fake_eal_name(GROUP_NIC);
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK_EQ(fake_attached(GROUP_HD), default_ioasid());
	CHECK(says("0000:00:05.0 in IOMMU group 13 is a bridge: exempt"));
	/* Its own turn comes: it has joined, once. */
	CHECK_RET(set_up(GROUP_HD), 0);
	CHECK_EQ(fake_count(KABI_BIND), 2);
}

static void
host_bridge_is_exempt(void **state)
{
	const struct fake_pci host = { .bdf = "0000:04:00.0",
				       .group = THE_GROUP,
				       .class_code = 0x060000 };

	(void)state;
	fake_plug(&host);
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK(says("0000:04:00.0 in IOMMU group 13 is a host bridge: exempt"));
}

/* The rule holds as long as a device is attached: a member does not go half-way. */
static void
released_member_stays_joined_and_quiet(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK_RET(set_up(GROUP_HD), 0);
	fake_set_bus_master(GROUP_HD, true);
	CHECK_EQ(fake_eal_watched(), 0);
	CHECK_RET(device_release(GROUP_HD), 0);
	CHECK(fake_is_bound(GROUP_HD));
	CHECK(!fake_is_bus_master(GROUP_HD));
	CHECK_EQ(fake_resets(GROUP_HD), 1);
	CHECK(!device_in_use(GROUP_HD));
	/* Somebody listens for it. */
	CHECK_EQ(fake_eal_watched(), 1);
	CHECK_RET(set_up(GROUP_HD), 0);
	CHECK_EQ(fake_eal_watched(), 0);
	CHECK_RET(device_release(GROUP_NIC), 0);
	CHECK(fake_is_bound(GROUP_NIC));
	CHECK_RET(device_release(GROUP_HD), 0);
	CHECK(!fake_is_bound(GROUP_NIC));
	CHECK(!fake_is_bound(GROUP_HD));
	said();
}

static void
member_that_cannot_be_quieted_leaves_and_is_told(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK_RET(set_up(GROUP_HD), 0);
	said();
	fake_fail(FAKE_PWRITE, 1, EIO);
	CHECK_RET(device_release(GROUP_HD), 0);
	CHECK(!fake_is_bound(GROUP_HD));
	CHECK(says("at risk: [" GROUP_HD "]"));
}

/* ---- accepted risk */

static void
warning_comes_once(void **state)
{
	(void)state;
	allow_insecure();
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK(says("these PCI BDFs are also at risk: [" GROUP_HD "]"));
	event(GROUP_HD);
	CHECK(strstr(said(), "at risk") == NULL);
	CHECK_RET(device_release(GROUP_NIC), 0);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK(says("these PCI BDFs are also at risk: [" GROUP_HD "]"));
}

static void
warning_comes_again_after_a_failed_set_up(void **state)
{
	(void)state;
	allow_insecure();
	fake_fail(KABI_MAP, 1, ENOMEM);
	CHECK_RET(set_up(GROUP_NIC), -ENOMEM);
	CHECK(!fake_is_bound(GROUP_NIC));
	CHECK(says("DPDK's memory of 24576 KiB in all could not be mapped"));
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK(says("these PCI BDFs are also at risk: [" GROUP_HD "]"));
}

/* ---- virtio */

static const struct fake_pci legacy_virtio = {
	.bdf = "0000:05:00.0",
	.group = 20,
	.vendor = 0x1af4,
	.device = 0x1000,
	.class_code = 0x020000,
	.driver = "vfio-pci",
};

/* It has no VIRTIO_F_ACCESS_PLATFORM to offer. */
static void
dma_past_the_iommu_is_refused(void **state)
{
	(void)state;
	fake_plug(&legacy_virtio);
	CHECK_RET(set_up(legacy_virtio.bdf), -EPERM);
	CHECK(says("0000:05:00.0 refused: a virtio device without VIRTIO_F_ACCESS_PLATFORM"));
	CHECK(!fake_is_bound(legacy_virtio.bdf));
	allow_insecure();
	CHECK_RET(set_up(legacy_virtio.bdf), 0);
	CHECK(says("0000:05:00.0 does its DMA PAST THE IOMMU"));
	CHECK_RET(device_release(legacy_virtio.bdf), 0);
	/* That it does not answer is no answer. */
	options.allow_insecure = false;
	fake_fail(FAKE_PREAD, 1, EIO);
	CHECK_RET(set_up(legacy_virtio.bdf), -EPERM);
	/* Where stock EAL opens it, it is asked by sysfs, which is not to be had here. */
	CHECK_RET(device_admit(fake_sysfs(), legacy_virtio.bdf), -EPERM);
}

/* ---- devices that come and go */

static void
newcomer_is_told(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	said();
	plug_third();
	CHECK(says("these PCI BDFs are also at risk: [" THIRD "]"));
	event(THIRD);
	CHECK(strstr(said(), "at risk") == NULL);
	unplug_third();
	plug_third();
	CHECK(says("these PCI BDFs are also at risk: [" THIRD "]"));
}

static void
lost_events_are_made_up_for(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	said();
	fake_plug(&pci_third);
	ioasid_device_event(space_ctx(), fake_sysfs(), NULL);
	CHECK(says("these PCI BDFs are also at risk: [" THIRD "]"));
}

/* Which group it came to cannot be read: it may be any. */
static void
newcomer_of_an_unknown_group_is_told(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	said();
	fake_plug(&pci_third);
	fake_fail(FAKE_READ_LINK, 1, EMFILE);
	event(THIRD);
	CHECK(says("these PCI BDFs are also at risk: [" THIRD "]"));
}

/* In the middle of ATTACH: the kernel has taken it in, so ATTACH is undone. */
static void
newcomer_while_attaching_refuses(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	fake_at(KABI_ATTACH, plug_third);
	CHECK_RET(set_up(GROUP_NIC), -EPERM);
	CHECK(says(GROUP_NIC " refused: its IOMMU group 13 holds other devices"));
	CHECK(!fake_is_bound(GROUP_NIC));
	CHECK_EQ(fake_pinned(), 0);
}

static void
plug_third_on_vfio(void)
{
	struct fake_pci pci = pci_third;

	pci.driver = "vfio-pci";
	fake_plug(&pci);
}

static void
named_newcomer_while_attaching_joins(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	fake_eal_name(THIRD);
	fake_at(KABI_ATTACH, plug_third_on_vfio);
	CHECK_RET(set_up(GROUP_NIC), 0);
	CHECK_EQ(fake_attached(THIRD), default_ioasid());
}

static void
held_member_is_wanted_back(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	said();
	CHECK(fake_request(GROUP_HD));
	fake_eal_interrupts();
	CHECK(!fake_is_bound(GROUP_HD));
	CHECK_EQ(fake_eal_watched(), 0);
	CHECK(says("at risk: [" GROUP_HD "]"));
	CHECK_EQ(fake_attached(GROUP_NIC), default_ioasid());
}

static void
group_that_cannot_be_read_any_more_is_told(void **state)
{
	(void)state;
	fake_eal_name(GROUP_HD);
	CHECK_RET(set_up(GROUP_NIC), 0);
	said();
	fake_fail(FAKE_LIST, 1, EMFILE);
	event(GROUP_HD);
	CHECK(says("who shares its IOMMU group with it cannot be told any more"));
}

/* ---- IOMMUs */

static void
driver_that_finishes_its_table_at_attach(void **state)
{
	(void)state;
	fake_machine.late_table = true;
	CHECK_RET(set_up(NIC0), 0);
	CHECK_EQ(fake_pinned(), 12 * FAKE_EAL_PAGE);
	CHECK_RET(set_up(NIC1), 0);
}

static void
memory_out_of_reach_is_refused_with_a_way_out(void **state)
{
	(void)state;
	fake_machine.late_table = true;
	fake_machine.aperture_last = (UINT64_C(1) << 39) - 1;
	fake_eal_set_base(UINT64_C(1) << 40);
	CHECK_RET(set_up(NIC0), -ERANGE);
	CHECK(says("out of its reach.\n  Its IOMMU can address: 0x0-0xfedfffff, "
		   "0xfef00000-0x7fffffffff\n  Way out: start with --base-virtaddr=0x100000000"));
	CHECK(!fake_is_bound(NIC0));
	CHECK_EQ(fake_count(KABI_MAP), 0);
}

/* The second device's IOMMU addresses less than what is mapped for the first. */
static void
memory_out_of_reach_of_the_second(void **state)
{
	(void)state;
	fake_eal_set_base(UINT64_C(1) << 40);
	CHECK_RET(set_up(NIC0), 0);
	CHECK_RET(device_release(NIC0), 0);
	fake_machine.aperture_last = (UINT64_C(1) << 39) - 1;
	CHECK_RET(set_up(NIC1), -ERANGE);
	CHECK(says("Way out: start with --base-virtaddr=0x100000000"));
	CHECK(!fake_is_bound(NIC1));
}

/* ---- memory */

static void
memory_follows_events(void **state)
{
	(void)state;
	CHECK_RET(set_up(NIC0), 0);
	fake_eal_alloc(12);
	CHECK_EQ(fake_pinned(), 13 * FAKE_EAL_PAGE);
	CHECK(!fake_eal_is_unmapped(12));
	fake_eal_free(12);
	fake_eal_free(8);
	CHECK_EQ(fake_pinned(), 11 * FAKE_EAL_PAGE);
	fake_fail(KABI_MAP, 1, ENOMEM);
	fake_eal_alloc(12);
	CHECK(fake_eal_is_unmapped(12));
	/* Freed and had again, it is another page. */
	fake_eal_free(12);
	fake_eal_alloc(12);
	CHECK(!fake_eal_is_unmapped(12));
	CHECK(says("of new memory at 0x101800000 refused"));
}

static void
free_page_8(void)
{
	fake_eal_free(8);
}

/* The list was made, its turn has not come: it is not mapped afterwards. */
static void
memory_freed_while_the_rest_is_mapped(void **state)
{
	(void)state;
	fake_at(KABI_MAP, free_page_8);
	CHECK_RET(set_up(NIC0), 0);
	CHECK_EQ(fake_pinned(), 11 * FAKE_EAL_PAGE);
}

static void
user_maps_as_stock_has_them(void **state)
{
	const uint64_t iova = 0x20000000, va = 0x7f0000000000;
	const uint32_t ioasid = space_default();

	(void)state;
	/* vhost goes on without devices by this very errno. */
	CHECK_RET(user_map(ioasid, va, iova, PAGE), -ENODEV);
	CHECK_RET(set_up(NIC0), 0);
	CHECK_RET(user_map(ioasid, va, iova, PAGE), 0);
	said();
	CHECK_RET(user_map(ioasid, va, iova, PAGE), 0);
	CHECK(strstr(said(), "other memory") == NULL);
	CHECK_RET(user_map(ioasid, va + PAGE, iova, PAGE), 0);
	CHECK(says("is mapped to other memory already"));
	CHECK_RET(user_map(ioasid, va, iova - PAGE, 2 * PAGE), -EEXIST);
	/* A part of DPDK's own. */
	CHECK_RET(user_map(ioasid, FAKE_EAL_BASE, FAKE_EAL_BASE, PAGE), 0);
	CHECK_RET(user_unmap(ioasid, FAKE_EAL_BASE, PAGE), 0);
	CHECK_RET(user_unmap(ioasid, FAKE_EAL_BASE, PAGE), -ENOTSUP);
	/* As often as it was mapped. */
	CHECK_RET(user_unmap(ioasid, iova, PAGE), 0);
	CHECK_RET(user_unmap(ioasid, iova, PAGE), 0);
	CHECK_RET(user_unmap(ioasid, iova, PAGE), 0);
	CHECK_RET(user_unmap(ioasid, iova, PAGE), -EINVAL);
}

/* ---- containers */

static int
create(uint32_t *ioasid)
{
	int fd = container_create();

	CHECK(fd >= 0);
	CHECK_RET(container_ioasid(fd, ioasid), 0);
	return fd;
}

static void
group_is_bound_before_its_device_is_set_up(void **state)
{
	uint32_t ioasid;
	int c = create(&ioasid);

	(void)state;
	fake_eal_name(NIC0);
	CHECK(container_group_bind(c, NIC0_GROUP) >= 0);
	CHECK(fake_is_bound(NIC0));
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK_RET(set_up(NIC0), 0);
	CHECK_EQ(fake_attached(NIC0), ioasid);
	/* Of DPDK's memory it gets nothing. */
	CHECK_EQ(fake_pinned(), 0);
	CHECK_RET(container_group_unbind(c, NIC0_GROUP), 0);
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK_RET(device_release(NIC0), 0);
	CHECK_RET(set_up(NIC0), 0);
	CHECK_EQ(fake_attached(NIC0), default_ioasid());
	CHECK_RET(container_destroy(c), 0);
}

/* An ending never widens what a device can reach. */
static void
given_up_container_leaves_its_devices_nowhere(void **state)
{
	uint32_t ioasid;
	int c, group;

	(void)state;
	for (int how = 0; how < 3; how++) {
		c = create(&ioasid);
		CHECK_RET(set_up(NIC0), 0);
		group = container_group_bind(c, NIC0_GROUP);
		CHECK(group >= 0);
		CHECK_EQ(fake_attached(NIC0), ioasid);
		if (how == 0)
			CHECK_RET(container_group_unbind(c, NIC0_GROUP), 0);
		if (how == 1)
			CHECK_RET(container_clear_group(group), 0);
		CHECK_RET(container_destroy(c), 0);
		CHECK_EQ(fake_attached(NIC0), 0);
		CHECK(fake_is_bound(NIC0));
		CHECK_RET(device_release(NIC0), 0);
		if (how == 1)
			CHECK(container_group_fd(NIC0_GROUP) == -ENOENT);
		if (how == 1)
			close(group);
	}
}

static void
default_container_is_one(void **state)
{
	int group = container_group_bind(DEFAULT, NIC0_GROUP);
	uint32_t ioasid;
	int c = create(&ioasid);

	(void)state;
	/* Nobody has named it. */
	CHECK_RET(group, -ENODEV);
	fake_eal_name(NIC0);
	group = container_group_bind(DEFAULT, NIC0_GROUP);
	CHECK(group >= 0);
	CHECK_EQ(container_group_bind(DEFAULT, NIC0_GROUP), group);
	CHECK_EQ(container_group_fd(NIC0_GROUP), group);
	CHECK_RET(set_up(NIC0), 0);
	CHECK_EQ(fake_attached(NIC0), default_ioasid());
	/* From there it may go elsewhere, in one step; not from there to a third. */
	CHECK_EQ(container_group_bind(c, NIC0_GROUP), group);
	CHECK_EQ(fake_attached(NIC0), ioasid);
	CHECK_RET(container_group_bind(DEFAULT, NIC0_GROUP), -EBUSY);
	CHECK_RET(container_destroy(c), 0);
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK_RET(container_group_bind(DEFAULT, NIC0_GROUP) >= 0 ? 0 : -1, 0);
	CHECK_EQ(fake_attached(NIC0), default_ioasid());
	CHECK_EQ(fake_pinned(), 12 * FAKE_EAL_PAGE);
	CHECK_RET(container_group_unbind(DEFAULT, NIC0_GROUP), 0);
	CHECK_RET(container_group_unbind(DEFAULT, NIC0_GROUP), -ENOENT);
}

static void
groups_that_there_are_not(void **state)
{
	uint32_t ioasid;
	int c = create(&ioasid);

	(void)state;
	CHECK(container_group_bind(c, 9999) < 0);
	CHECK(container_group_bind(c, -1) < 0);
	CHECK(container_group_bind(c + 1000, NIC0_GROUP) < 0);
	CHECK_RET(container_group_unbind(c, 9999), -ENOENT);
	CHECK_RET(container_destroy(c + 1000), -ENOENT);
	CHECK_RET(container_destroy(DEFAULT), -ENOENT);
	CHECK_RET(container_destroy(c), 0);
}

/* A bound group is held by a device: its number cannot become another's. */
static void
bound_group_keeps_its_number(void **state)
{
	uint32_t ioasid;
	int c = create(&ioasid);

	(void)state;
	fake_eal_name(NIC0);
	CHECK(container_group_bind(c, NIC0_GROUP) >= 0);
	/* The kernel wants it back: it leaves, and the binding is of a group that is no more. */
	CHECK(fake_request(NIC0));
	fake_eal_interrupts();
	CHECK(!fake_is_bound(NIC0));
	fake_set_driver(NIC0, "vfio-pci");
	/* The number may be another's by now: it is not bound, and can be anew. */
	CHECK_RET(container_group_unbind(c, NIC0_GROUP), -ENOENT);
	CHECK_RET(set_up(NIC0), 0);
	CHECK_EQ(fake_attached(NIC0), default_ioasid());
	CHECK(container_group_bind(c, NIC0_GROUP) >= 0);
	CHECK_EQ(fake_attached(NIC0), ioasid);
	CHECK_RET(container_destroy(c), 0);
	CHECK_EQ(fake_attached(NIC0), 0);
}

static void
move_that_fails_leaves_the_group_where_it_was(void **state)
{
	uint32_t ioasid;
	int c = create(&ioasid);

	(void)state;
	CHECK_RET(set_up(NIC0), 0);
	fake_fail(KABI_ATTACH, 1, EBUSY);
	CHECK(container_group_bind(c, NIC0_GROUP) < 0);
	CHECK_EQ(fake_attached(NIC0), default_ioasid());
	CHECK_EQ(container_group_fd(NIC0_GROUP), -ENOENT);
	CHECK_RET(container_destroy(c), 0);
}

/* ---- many groups */

static unsigned int
calls_of_set_up(const char *bdf)
{
	const unsigned int before = fake_count(FAKE_ANY);

	CHECK_RET(set_up(bdf), 0);
	return fake_count(FAKE_ANY) - before;
}

static unsigned int
calls_of_event(const char *bdf)
{
	const unsigned int before = fake_count(FAKE_ANY);

	event(bdf);
	return fake_count(FAKE_ANY) - before;
}

/* Neither by a set-up nor by an event is anything asked about other groups. */
static void
other_groups_cost_nothing(void **state)
{
	unsigned int second, one_event;
	char bdf[16];

	(void)state;
	calls_of_set_up(NIC0);
	second = calls_of_set_up(NIC1);
	one_event = calls_of_event(NIC1);
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(bdf, sizeof(bdf), "0000:%02x:00.0", 0x40 + i);
		fake_plug(&(struct fake_pci){ .bdf = bdf,
					      .group = 1000 + i,
					      .driver = "vfio-pci",
					      .reserved = { { MSI_START, MSI_LAST, "msi" } } });
		CHECK_EQ(calls_of_set_up(bdf), second);
	}
	CHECK_EQ(calls_of_event(NIC1), one_event);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_DRIVER(set_up_attaches_and_maps_all_memory),
		TEST_DRIVER(set_up_twice),
		TEST_DRIVER(unnamed_member_refuses_the_group),
		TEST_DRIVER(named_member_joins_and_is_attached),
		TEST_DRIVER(host_bridge_is_exempt),
		TEST_DRIVER(released_member_stays_joined_and_quiet),
		TEST_DRIVER(member_that_cannot_be_quieted_leaves_and_is_told),
		TEST_DRIVER(warning_comes_once),
		TEST_DRIVER(warning_comes_again_after_a_failed_set_up),
		TEST_DRIVER(dma_past_the_iommu_is_refused),
		TEST_DRIVER(newcomer_is_told),
		TEST_DRIVER(lost_events_are_made_up_for),
		TEST_DRIVER(newcomer_of_an_unknown_group_is_told),
		TEST_DRIVER(newcomer_while_attaching_refuses),
		TEST_DRIVER(named_newcomer_while_attaching_joins),
		TEST_DRIVER(held_member_is_wanted_back),
		TEST_DRIVER(group_that_cannot_be_read_any_more_is_told),
		TEST_DRIVER(driver_that_finishes_its_table_at_attach),
		TEST_DRIVER(memory_out_of_reach_is_refused_with_a_way_out),
		TEST_DRIVER(memory_out_of_reach_of_the_second),
		TEST_DRIVER(memory_follows_events),
		TEST_DRIVER(memory_freed_while_the_rest_is_mapped),
		TEST_DRIVER(user_maps_as_stock_has_them),
		TEST_DRIVER(group_is_bound_before_its_device_is_set_up),
		TEST_DRIVER(given_up_container_leaves_its_devices_nowhere),
		TEST_DRIVER(default_container_is_one),
		TEST_DRIVER(groups_that_there_are_not),
		TEST_DRIVER(bound_group_keeps_its_number),
		TEST_DRIVER(move_that_fails_leaves_the_group_where_it_was),
		TEST_DRIVER(other_groups_cost_nothing),
	};

	return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
