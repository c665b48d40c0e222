/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid check: how devices are isolated, as far as user space can see it. */

#include <stdlib.h>

#include "command.h"
#include "judge/judge.h"
#include "machine/files.h"
#include "view/view.h"

struct check {
	struct bdfs bdfs;
	bool all;
	bool json;
};

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0, "Show every device that is not a bridge", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 },
};

static const char doc[] =
	"Show how devices are isolated from each other, who else could reach the memory of a "
	"program that uses them, and what to type next. A DEVICE is a PCI address or the name of a "
	"network interface; several are judged together. Without one: all that DPDK has drivers "
	"for, and those on VFIO. Needs neither root nor an IOMMU nor DPDK; what only root can see "
	"is told as unknown."
	"\vThe verdicts: isolated: alone in its IOMMU group; complete: all of its group were "
	"given; shared: others of the group must be named too; exposed: others can reach it past "
	"the IOMMU; unknown: what must be known cannot be read; cannot: no program can or should "
	"have it, for the reason given.\n\n"
	"Exit status: 0 if every DEVICE given is isolated or complete, or none was given; 1 if one "
	"is not; 2 if the arguments are wrong or there is no such device.";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct check *check = state->input;

	switch (key) {
	case 'a':
		check->all = true;
		return 0;
	case 'j':
		check->json = true;
		return 0;
	case ARGP_KEY_ARG:
		bdfs_add(&check->bdfs, arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool
is_of_interest(const struct device *device, const void *arg)
{
	const struct check *check = arg;

	if (check->bdfs.count > 0)
		return bdfs_has(&check->bdfs, device->member.bdf);
	if (ioasid_is_exempt(&device->member))
		return false;
	return check->all || device->pmd.has == YES || ioasid_is_on_vfio(&device->member);
}

static struct report
examine(const struct check *check)
{
	struct report report = { .machine = machine_read(is_of_interest, check) };

	for (unsigned int i = 0; i < report.machine->ndevices; i++) {
		const struct device *device = &report.machine->devices[i];

		if (!is_of_interest(device, check))
			continue;
		report.opinions =
			list_grow(report.opinions, report.count, sizeof(*report.opinions));
		report.opinions[report.count++] = judge(report.machine, device, &check->bdfs);
	}
	return report;
}

/* A device that went away meanwhile is no good answer. */
static bool
is_good(const struct check *check, const struct report *report)
{
	for (unsigned int i = 0; i < report->count; i++)
		if (report->opinions[i]->verdict > VERDICT_COMPLETE)
			return false;
	return report->count == check->bdfs.count;
}

int
command_check(int argc, char **argv)
{
	const struct argp argp = { options, parse, "[DEVICE...]", doc, NULL, NULL, NULL };
	struct check check = { 0 };
	struct report report;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &check);
	report = examine(&check);
	if (check.json)
		view_json(&report);
	else
		view_text(&report);
	if (check.bdfs.count == 0)
		status = report.machine->devices_known != UNKNOWN ? STATUS_OK : STATUS_NO;
	else
		status = is_good(&check, &report) ? STATUS_OK : STATUS_NO;
	report_free(&report);
	bdfs_free(&check.bdfs);
	return status;
}
