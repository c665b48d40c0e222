/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What a set-up, an event and a look at all cost when there are many IOMMU groups of one
 * device: on the fake kernel, whose sysfs is files. For devtools/perf; prints JSON.
 */

#include <stdlib.h>

#include "driver.h"
#include "log.h"
#include "now.h"

#define MOST 1024

static char bdfs[MOST][16];

static void
plug(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		snprintf(bdfs[i], sizeof(bdfs[i]), "%04x:%02x:00.0", 0x10 + i / 256, i % 256);
		fake_plug(&(struct fake_pci){
			.bdf = bdfs[i],
			.group = 1000 + i,
			.class_code = 0x020000,
			.driver = "vfio-pci",
			.reserved = { { MSI_START, MSI_LAST, "msi" } },
		});
	}
}

/* Calls of the kernel, and looks into sysfs. */
static unsigned int
calls_of_set_up(unsigned int i)
{
	const unsigned int before = fake_count(FAKE_ANY);

	CHECK_RET(set_up(bdfs[i]), 0);
	return fake_count(FAKE_ANY) - before;
}

static unsigned int
calls_of_event(unsigned int i)
{
	const unsigned int before = fake_count(FAKE_ANY);

	event(bdfs[i]);
	return fake_count(FAKE_ANY) - before;
}

/* All groups, page by page, as telemetry does it. */
static unsigned int
list_groups(void)
{
	struct ioasid_group_info *page[16];
	unsigned int from = 0, total, n, seen = 0;

	while ((n = ioasid_list_groups(space_ctx(), from, page, 16, &total)) > 0) {
		from = page[n - 1]->number + 1;
		seen += n;
		for (unsigned int i = 0; i < n; i++)
			ioasid_group_info_free(page[i]);
	}
	return seen;
}

static void
measure(unsigned int n, const char *separator)
{
	unsigned int first, last, event_calls, before;
	double begin, set_up_ms, list_ms, release_ms;

	plug(n);
	begin = now_ms();
	/* The first maps DPDK's memory, too: the second stands for all. */
	calls_of_set_up(0);
	first = last = calls_of_set_up(1);
	for (unsigned int i = 2; i < n; i++)
		last = calls_of_set_up(i);
	set_up_ms = now_ms() - begin;
	event_calls = calls_of_event(n / 2);
	before = fake_count(FAKE_ANY);
	begin = now_ms();
	CHECK_EQ(list_groups(), n);
	list_ms = now_ms() - begin;
	CHECK_EQ(fake_count(FAKE_ANY), before);
	begin = now_ms();
	for (unsigned int i = 0; i < n; i++)
		CHECK_RET(device_release(bdfs[i]), 0);
	release_ms = now_ms() - begin;
	printf("%s{\"groups\": %u, \"calls_second\": %u, \"calls_last\": %u, \"calls_event\": %u, "
	       "\"set_up_ms\": %.2f, \"release_ms\": %.2f, \"list_ms\": %.3f}",
	       separator, n, first, last, event_calls, set_up_ms, release_ms, list_ms);
}

/* Up to MOST groups, or as many as are said. */
int
main(int argc, char **argv)
{
	const unsigned int most = argc > 1 ? (unsigned int)atoi(argv[1]) : MOST;
	const char *separator = "\n";

	printf("[");
	for (unsigned int n = 64; n <= most && n <= MOST; n *= 2) {
		if (driver_setup(NULL) < 0)
			return 1;
		rte_log_set_level(ioasid_logtype, RTE_LOG_ERR);
		measure(n, separator);
		separator = ",\n";
		if (driver_teardown(NULL) < 0)
			return 1;
	}
	printf("\n]\n");
	return 0;
}
