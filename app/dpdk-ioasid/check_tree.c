/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The members of a group as they hang below the root: sysfs has each device in the
 * directory of the bridge that it is behind.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "machine.h"
#include "pci.h"

/* What a device means for who uses `bdf`. */
static const char *
state_of(const struct ioasid_member *m, bool member, const char *bdf)
{
	if (!member)
		return "not in the group";
	if (m->bridge)
		return "bridge, exempt";
	if (strcmp(m->bdf, bdf) == 0)
		return "this device";
	if (m->cdev[0] != '\0' || strcmp(m->driver, "vfio-pci") == 0)
		return "at risk unless named: on VFIO, can join";
	if (m->driver[0] == '\0')
		return "at risk unless named: unbound, must be bound to vfio-pci to join";
	if (strcmp(m->driver, "pci-stub") == 0)
		return "at risk unless named: must be bound to vfio-pci to join";
	return "in the way: its driver is the kernel's, which then refuses the whole group";
}

static json_t *
node(const struct ioasid_group_info *group, const char *name, const char *bdf)
{
	const struct ioasid_member *m = check_member(group, name);
	const bool member = m != NULL;
	struct ioasid_member other;

	if (!member) {
		pci_read(name, &other);
		m = &other;
	}
	return json_pack("{s:s, s:o, s:b, s:b, s:o, s:o, s:s, s:[]}", "bdf", name, "name",
			 pci_name(m), "member", member, "bridge", m->bridge, "driver",
			 m->driver[0] != '\0' ? json_string(m->driver) : json_null(), "acs",
			 m->bridge ? pci_acs(name) : json_null(), "state", state_of(m, member, bdf),
			 "children");
}

/* The child of that name, made if need be. */
static json_t *
child(json_t *children, const struct ioasid_group_info *group, const char *name, const char *bdf)
{
	json_t *found;
	size_t i;

	json_array_foreach(children, i, found)
		if (strcmp(get_text(found, "bdf"), name) == 0)
			return found;
	found = node(group, name, bdf);
	json_array_append_new(children, found);
	return found;
}

/* Put a device in, below the bridges that its path names. */
static void
add(json_t *tree, const struct ioasid_group_info *group, const char *name, const char *bdf)
{
	const struct path link = machine_path("/sys/bus/pci/devices/%s", name);
	char real[PATH_MAX], part[IOASID_BDF_SIZE], *save = NULL;
	json_t *children = tree;

	if (realpath(link.s, real) == NULL) {
		child(tree, group, name, bdf);
		return;
	}
	for (char *word = strtok_r(real, "/", &save); word != NULL;
	     word = strtok_r(NULL, "/", &save))
		if (pci_parse(word, part))
			children = json_object_get(child(children, group, part, bdf), "children");
}

json_t *
check_tree(const struct ioasid_group_info *group, const char *bdf)
{
	json_t *tree = json_array();

	for (unsigned int i = 0; i < group->nmembers; i++)
		add(tree, group, group->members[i].bdf, bdf);
	return tree;
}
