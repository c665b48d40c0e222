/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The group rule as an invariant: random sequences of set-up, release, hotplug, surprise,
 * driver changes and containers, with calls that fail in between, with and without
 * --allow-insecure-vfio. After each step: whoever can reach what an attached device of his
 * group can, by the kernel's own account, has joined, or was named to the user.
 *
 *	WALK_FIRST, WALK_SEEDS, WALK_STEPS: others, or more, than are walked by default
 */

#include <stdlib.h>
#include <unistd.h>

#include <rte_vfio.h>

#include "driver.h"

#define NCONTAINERS 3

static const char *const bdfs[] = { NIC0, NIC1, GROUP_NIC, GROUP_HD, THIRD };
static const int groups[] = { NIC0_GROUP, NIC1_GROUP, THE_GROUP, 9999 };
static bool faulty; /* a call fails in this step */
static bool plugged[ARRAY_SIZE(bdfs)], named_to_user[ARRAY_SIZE(bdfs)], unknown;
static int containers[NCONTAINERS];
static uint64_t seed;
static unsigned int done[16], attached_steps, exposed_steps;

static unsigned int
dice(unsigned int n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(seed >> 33) % n;
}

static unsigned int
index_of(const char *bdf)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bdfs); i++)
		if (strcmp(bdfs[i], bdf) == 0)
			return i;
	fail();
	return 0;
}

static int
group_of(const char *bdf)
{
	if (strcmp(bdf, NIC0) == 0)
		return NIC0_GROUP;
	return strcmp(bdf, NIC1) == 0 ? NIC1_GROUP : THE_GROUP;
}

/* ---- steps: each may fail, and then has no effect */

static void
step_set_up(unsigned int i)
{
	const char *before[4];
	const unsigned int n = fake_exposed(before, 4);

	/* Who asks for it says its name: by -a, or at run time. */
	if (plugged[i] && set_up(bdfs[i]) == 0 && !options.allow_insecure)
		/* A set-up exposes nobody who was not. */
		CHECK(fake_exposed(before, 4) <= n);
}

/* An ending exposes nobody; unless a device does not answer, and has to leave. */
static void
step_release(unsigned int i)
{
	const char *exposed[8];
	const unsigned int before = fake_exposed(exposed, 8);

	device_release(bdfs[i]);
	if (!faulty)
		CHECK(fake_exposed(exposed, 8) <= before);
}

static void
step_name(unsigned int i)
{
	if (fake_eal_names(bdfs[i]))
		fake_eal_unname(bdfs[i]);
	else
		fake_eal_name(bdfs[i]);
}

static void
step_plug(unsigned int i)
{
	struct fake_pci pci = pci_third;

	if (plugged[i] || i != index_of(THIRD))
		return;
	pci.driver = dice(2) ? "vfio-pci" : NULL;
	fake_plug(&pci);
	plugged[i] = true;
	event(bdfs[i]);
}

/* VFIO asks for it back, and waits; what nobody holds goes at once. */
static bool
goes_away(unsigned int i)
{
	if (!plugged[i])
		return false;
	fake_request(bdfs[i]);
	fake_eal_interrupts();
	return !fake_is_bound(bdfs[i]);
}

static void
step_unplug(unsigned int i)
{
	if (i != index_of(THIRD) || !goes_away(i))
		return;
	fake_unplug(bdfs[i]);
	plugged[i] = false;
	event(bdfs[i]);
}

static void
step_driver(unsigned int i)
{
	if (!goes_away(i))
		return;
	/* While it is on neither. */
	if (dice(4) == 0)
		event(bdfs[i]);
	fake_set_driver(bdfs[i], dice(2) ? "vfio-pci" : dice(2) ? "pci-stub" : NULL);
	event(bdfs[i]);
}

static void
step_create(unsigned int i)
{
	if (containers[i % NCONTAINERS] < 0)
		containers[i % NCONTAINERS] = container_create();
}

/* Where nothing else attaches it, a group that is let go of is attached nowhere. */
static void
check_nowhere(int group)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bdfs); i++)
		if (plugged[i] && group_of(bdfs[i]) == group)
			CHECK_EQ(fake_attached(bdfs[i]), 0);
}

static void
step_destroy(unsigned int i)
{
	int *c = &containers[i % NCONTAINERS];
	uint32_t ioasid;

	if (*c < 0)
		return;
	CHECK_RET(container_ioasid(*c, &ioasid), 0);
	if (container_destroy(*c) < 0)
		return;
	*c = -1;
	for (unsigned int j = 0; j < ARRAY_SIZE(bdfs); j++)
		if (plugged[j])
			CHECK(fake_attached(bdfs[j]) != ioasid);
}

static int
any_container(void)
{
	const unsigned int i = dice(NCONTAINERS + 1);

	return i < NCONTAINERS ? containers[i] : RTE_VFIO_DEFAULT_CONTAINER_FD;
}

static void
step_bind(unsigned int i)
{
	container_group_bind(any_container(), groups[i % ARRAY_SIZE(groups)]);
}

static void
step_unbind(unsigned int i)
{
	const int group = groups[i % ARRAY_SIZE(groups)];

	if (container_group_unbind(any_container(), group) == 0)
		check_nowhere(group);
}

static void
step_clear(unsigned int i)
{
	const int group = groups[i % ARRAY_SIZE(groups)], fd = container_group_fd(group);

	if (fd < 0 || container_clear_group(fd) < 0)
		return;
	close(fd);
	check_nowhere(group);
}

static void
step_lost_events(unsigned int i)
{
	(void)i;
	ioasid_device_event(space_ctx(), fake_sysfs(), NULL);
}

static const struct {
	void (*step)(unsigned int i);
	unsigned int weight;
} steps[] = {
	{ step_set_up, 8 }, { step_release, 4 }, { step_name, 3 },   { step_plug, 3 },
	{ step_unplug, 2 }, { step_driver, 3 },  { step_create, 1 }, { step_destroy, 1 },
	{ step_bind, 3 },   { step_unbind, 1 },  { step_clear, 1 },  { step_lost_events, 1 },
};

static unsigned int
choose(void)
{
	unsigned int total = 0, n;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		total += steps[i].weight;
	n = dice(total);
	for (unsigned int i = 0;; i++) {
		if (n < steps[i].weight)
			return i;
		n -= steps[i].weight;
	}
}

/* ---- what the user was told */

/* "[BDF, BDF]\n (… IOMMU group N …)": for that group it is the whole list now. */
static void
read_warning(const char *text)
{
	const char *end = strchr(text, ']');

	for (unsigned int i = 0; i < ARRAY_SIZE(bdfs); i++) {
		const char *at = strstr(text, bdfs[i]);

		if (at != NULL && at < end)
			named_to_user[i] = true;
	}
}

static void
read_log(void)
{
	static const char warning[] = "are also at risk: [";
	const char *text = said();

	unknown = unknown || strstr(text, "cannot be told any more") != NULL;
	while ((text = strstr(text, warning)) != NULL) {
		text += strlen(warning);
		read_warning(text);
	}
}

/* A device that is not exposed any more must be named again when it is. */
static void
forget_the_safe(const char *const *exposed, unsigned int n)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bdfs); i++) {
		bool is_exposed = false;

		for (unsigned int j = 0; j < n; j++)
			is_exposed = is_exposed || strcmp(exposed[j], bdfs[i]) == 0;
		named_to_user[i] = named_to_user[i] && is_exposed;
	}
}

static void
check_invariant(uint64_t walk, unsigned int step)
{
	const char *exposed[8];
	const unsigned int n = fake_exposed(exposed, 8);

	read_log();
	for (unsigned int i = 0; i < n && !unknown; i++)
		if (!named_to_user[index_of(exposed[i])])
			fail_msg("seed %" PRIu64 ", step %u: %s is exposed, and was not named",
				 walk, step, exposed[i]);
	forget_the_safe(exposed, n);
	attached_steps += fake_pinned() > 0;
	exposed_steps += n > 0;
	/* What could not be read then can be read now. */
	if (unknown) {
		unknown = false;
		ioasid_device_event(space_ctx(), fake_sysfs(), NULL);
		read_log();
	}
}

/* ---- the walk */

static void
start(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bdfs); i++) {
		plugged[i] = strcmp(bdfs[i], THIRD) != 0;
		named_to_user[i] = false;
	}
	for (unsigned int i = 0; i < NCONTAINERS; i++)
		containers[i] = -1;
	unknown = false;
}

static void
walk(uint64_t number, unsigned int nsteps)
{
	static const int errnos[] = { EMFILE, ENOMEM, EBUSY, EIO, ENODEV };

	seed = number;
	start();
	for (unsigned int i = 0; i < nsteps; i++) {
		const unsigned int s = choose();

		faulty = dice(6) == 0;
		if (faulty)
			fake_fail(FAKE_ANY, 1 + dice(120), errnos[dice(ARRAY_SIZE(errnos))]);
		steps[s].step(dice(ARRAY_SIZE(bdfs)));
		fake_fail_clear();
		done[s]++;
		check_invariant(number, i);
	}
}

static unsigned int
setting(const char *name, unsigned int otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? (unsigned int)strtoul(value, NULL, 10) : otherwise;
}

static void
walk_all(bool insecure)
{
	const unsigned int first = setting("WALK_FIRST", 1), seeds = setting("WALK_SEEDS", 6);
	const unsigned int nsteps = setting("WALK_STEPS", 500);

	memset(done, 0, sizeof(done));
	attached_steps = exposed_steps = 0;
	for (unsigned int i = first; i < first + seeds; i++) {
		if (i > first) {
			driver_teardown(NULL);
			CHECK_RET(driver_setup(NULL), 0);
		}
		options.allow_insecure = insecure;
		walk(i, nsteps);
	}
	print_message("%u seeds, %u steps each; attached in %u, somebody at risk in %u\n", seeds,
		      nsteps, attached_steps, exposed_steps);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		CHECK(done[i] > 0);
	CHECK(attached_steps > seeds * nsteps / 20);
	CHECK(exposed_steps > 0);
}

static void
strict(void **state)
{
	(void)state;
	walk_all(false);
}

static void
risk_accepted(void **state)
{
	(void)state;
	walk_all(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_DRIVER(strict),
		TEST_DRIVER(risk_accepted),
	};

	return cmocka_run_group_tests_name("driver_walk", tests, NULL, NULL);
}
