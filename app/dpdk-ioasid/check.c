/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid check: how devices are isolated, as far as user space can see it. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "command.h"
#include "machine.h"
#include "pci.h"

#define CLASS_NETWORK     0x02
#define CLASS_ENCRYPTION  0x10
#define CLASS_ACCELERATOR 0x12

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
	"program that uses them, and what to type next. Without a BDF: network, encryption and "
	"accelerator devices, and all that are bound to vfio-pci. Needs neither root nor an IOMMU "
	"nor DPDK; what only root can see (ACS, other users' processes) is told as unknown or not "
	"at all."
	"\vThe verdicts: isolated: alone in its IOMMU group; shared: others in the group, which "
	"must "
	"be named too; cannot: no program can have it, for the reason given.\n\n"
	"Exit status: 0 if every BDF given is isolated, or none was given; 1 if one is not; 2 if "
	"the arguments are wrong or there is no such device.";

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
is_of_interest(const struct check *check, const char *bdf)
{
	struct ioasid_member m;

	if (check->bdfs.count > 0)
		return bdfs_has(&check->bdfs, bdf);
	pci_read(bdf, &m);
	if (m.bridge)
		return false;
	switch (m.class_code >> 16) {
	case CLASS_NETWORK:
	case CLASS_ENCRYPTION:
	case CLASS_ACCELERATOR:
		return true;
	default:
		return check->all || ioasid_is_vfio(machine_devices(), bdf) != 0;
	}
}

static json_t *
check_devices(const struct check *check, const json_t *machine)
{
	json_t *devices = json_array();
	char **bdfs;
	int n = pci_list(&bdfs);

	for (int i = 0; i < n; i++) {
		if (bdfs[i] != NULL && is_of_interest(check, bdfs[i])) {
			json_t *device = check_device(bdfs[i]);

			check_judge(machine, device);
			json_array_append_new(devices, device);
		}
		free(bdfs[i]);
	}
	if (n >= 0)
		free(bdfs);
	return devices;
}

static bool
all_isolated(const json_t *devices)
{
	json_t *device;
	size_t i;

	json_array_foreach(devices, i, device)
		if (strcmp(get_text(device, "verdict"), "isolated") != 0)
			return false;
	return true;
}

static void
print_text(const json_t *machine, const json_t *devices)
{
	json_t *device;
	size_t i;

	check_print_machine(machine);
	json_array_foreach(devices, i, device)
		check_print_device(device);
	if (json_array_size(devices) == 0)
		puts("\nno devices of the kind: name them, or see --all");
}

int
command_check(int argc, char **argv)
{
	const struct argp argp = { options, parse, "[BDF...]", doc, NULL, NULL, NULL };
	struct check check = { 0 };
	json_t *result, *machine, *devices;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &check);
	machine = check_machine();
	devices = check_devices(&check, machine);
	result = json_pack("{s:o, s:o}", "machine", machine, "devices", devices);
	if (check.json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_text(machine, devices);
	}
	status = check.bdfs.count == 0 || all_isolated(devices) ? STATUS_OK : STATUS_NO;
	json_decref(result);
	bdfs_free(&check.bdfs);
	return status;
}
