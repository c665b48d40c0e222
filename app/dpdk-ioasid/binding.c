/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <string.h>

#include "binding.h"
#include "machine.h"
#include "pci.h"
#include "terminal.h"

static const struct argp_option options[] = {
	{ "force", 'f', NULL, 0, "Also take what is in use", 0 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct binding *binding = state->input;

	switch (key) {
	case 'f':
		binding->force = true;
		return 0;
	case ARGP_KEY_ARG:
		bdfs_add(&binding->bdfs, arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which device?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void
binding_parse(struct binding *binding, int argc, char **argv, const char *doc)
{
	const struct argp argp = { options, parse, "BDF...", doc, NULL, NULL, NULL };

	argp_parse(&argp, argc, argv, 0, NULL, binding);
}

bool
binding_all(const struct binding *binding, bool (*is_acceptable)(const char *bdf, bool force))
{
	bool all = true;

	for (unsigned int i = 0; i < binding->bdfs.count; i++)
		all = is_acceptable(binding->bdfs.bdf[i], binding->force) && all;
	return all;
}

static void
print_member(const struct ioasid_member *m, const struct bdfs *bdfs)
{
	json_t *name = pci_name(m);

	printf("  %s%s%s %s [%04x:%04x], ", bdfs_has(bdfs, m->bdf) ? terminal(BOLD) : "", m->bdf,
	       terminal(PLAIN), json_string_value(name), m->vendor, m->device);
	json_decref(name);
	if (m->bridge)
		puts("bridge, exempt");
	else
		printf("driver %s\n", m->driver[0] != '\0' ? m->driver : "none");
}

/* Whether the group of this device was printed for one before it. */
static bool
is_printed(const struct bdfs *bdfs, unsigned int at, unsigned int number)
{
	unsigned int before;

	for (unsigned int i = 0; i < at; i++)
		if (ioasid_group_number(machine_devices(), bdfs->bdf[i], &before) == 0 &&
		    before == number)
			return true;
	return false;
}

void
binding_print_groups(const struct bdfs *bdfs)
{
	for (unsigned int i = 0; i < bdfs->count; i++) {
		struct ioasid_group_info *group;

		if (ioasid_group_info_read(machine_devices(), bdfs->bdf[i], &group) < 0) {
			printf("%s has no IOMMU group\n", bdfs->bdf[i]);
			continue;
		}
		if (!is_printed(bdfs, i, group->number)) {
			printf("IOMMU group %u\n", group->number);
			for (unsigned int j = 0; j < group->nmembers; j++)
				print_member(&group->members[j], bdfs);
		}
		ioasid_group_info_free(group);
	}
}
