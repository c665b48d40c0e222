/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/binding.h"
#include "binding/driver.h"
#include "view/terminal.h"

static const struct argp_option options[] = {
	{ "force", 'f', NULL, 0, "Also take what is in use; what that ends is named first", 0 },
	{ "dry-run", 'n', NULL, 0, "Show what would be done, and do nothing", 0 },
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
	case 'n':
		binding->dry = true;
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
binding_start(struct binding *binding, int argc, char **argv, const char *doc)
{
	const struct argp argp = { options, parse, "DEVICE...", doc, NULL, NULL, NULL };

	argp_parse(&argp, argc, argv, 0, NULL, binding);
	binding->machine = machine_read(bdfs_wanted, &binding->bdfs);
}

void
binding_end(struct binding *binding)
{
	machine_free(binding->machine);
	bdfs_free(&binding->bdfs);
}

/* ---- the change */

static void
print_dry(const struct device *device, const char *driver)
{
	printf("would take %s from %s and give it to %s\n", device->member.bdf,
	       device->member.driver[0] != '\0' ? device->member.driver : "no driver",
	       driver != NULL ? driver : "the kernel's own driver");
}

static bool
change_all(const struct binding *binding, const bool *skip, const char *driver)
{
	for (unsigned int i = 0; i < binding->bdfs.count; i++) {
		const struct device *device =
			machine_device(binding->machine, binding->bdfs.bdf[i]);

		if (skip[i] || driver_change(device, driver) == 0)
			continue;
		while (i-- > 0)
			if (!skip[i])
				driver_restore(
					machine_device(binding->machine, binding->bdfs.bdf[i]));
		return false;
	}
	return true;
}

bool
binding_change(const struct binding *binding, acceptable_fn acceptable, const char *driver)
{
	bool *skip = calloc(binding->bdfs.count, sizeof(*skip));
	bool all = skip != NULL;

	for (unsigned int i = 0; skip != NULL && i < binding->bdfs.count; i++) {
		const struct device *device =
			machine_device(binding->machine, binding->bdfs.bdf[i]);

		if (device == NULL)
			complain(binding->bdfs.bdf[i], "has gone");
		all = device != NULL && acceptable(binding, device, &skip[i]) && all;
	}
	for (unsigned int i = 0; all && binding->dry && i < binding->bdfs.count; i++)
		if (!skip[i])
			print_dry(machine_device(binding->machine, binding->bdfs.bdf[i]), driver);
	if (all && !binding->dry) {
		fflush(stdout);
		all = (driver == NULL || driver_have_vfio()) && change_all(binding, skip, driver);
	}
	free(skip);
	return all;
}

/* ---- the view */

static void
print_member(const struct device *m, const struct bdfs *bdfs)
{
	printf("  %s%s%s %s [%04x:%04x], ", bdfs_has(bdfs, m->member.bdf) ? terminal(BOLD) : "",
	       m->member.bdf, terminal(PLAIN), m->id_name, m->member.vendor, m->member.device);
	if (ioasid_is_exempt(&m->member))
		puts(m->member.bridge ? "bridge, exempt" : "host bridge, exempt");
	else
		printf("driver %s\n", m->member.driver[0] != '\0' ? m->member.driver : "none");
}

/* Once for the first of the named devices that is in it. */
static void
print_group(const struct machine *machine, const struct bdfs *bdfs, unsigned int at)
{
	const struct device *device = machine_device(machine, bdfs->bdf[at]);

	if (device == NULL || device->group == NULL) {
		printf("%s has no IOMMU group\n", bdfs->bdf[at]);
		return;
	}
	for (unsigned int i = 0; i < at; i++) {
		const struct device *before = machine_device(machine, bdfs->bdf[i]);

		if (before != NULL && before->group == device->group)
			return;
	}
	printf("IOMMU group %u\n", device->group->number);
	for (unsigned int i = 0; i < device->group->nmembers; i++)
		print_member(device->group->members[i], bdfs);
}

static void
print_next(const struct machine *machine, const struct bdfs *bdfs, unsigned int at)
{
	const struct device *device = machine_device(machine, bdfs->bdf[at]);
	struct opinion *opinion;

	if (device == NULL)
		return;
	opinion = judge(machine, device, bdfs);
	printf("%s: %s: %s\n", bdfs->bdf[at], verdict_name(opinion->verdict), opinion->reason);
	for (unsigned int i = 0; i < opinion->nnext; i++)
		printf("  %s\n", opinion->next[i]);
	opinion_free(opinion);
}

void
binding_print(const struct binding *binding, bool next)
{
	struct machine *now = machine_read(bdfs_wanted, &binding->bdfs);

	for (unsigned int i = 0; i < binding->bdfs.count; i++)
		print_group(now, &binding->bdfs, i);
	for (unsigned int i = 0; next && i < binding->bdfs.count; i++)
		print_next(now, &binding->bdfs, i);
	machine_free(now);
}
