/* SPDX-License-Identifier: BSD-3-Clause */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "in_use.h"
#include "machine.h"
#include "pci.h"

static json_t *
text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *
numa_node(const char *bdf)
{
	const struct path path = machine_path("/sys/bus/pci/devices/%s/numa_node", bdf);
	char line[16];
	long node;

	if (machine_line(&path, line, sizeof(line)) < 0)
		return json_null();
	node = strtol(line, NULL, 10);
	return node >= 0 ? json_integer(node) : json_null();
}

static void
add_cdev(json_t *device, const struct ioasid_member *m)
{
	const struct path node = machine_path("/dev/vfio/devices/%s", m->cdev);
	const bool has = m->cdev[0] != '\0';

	json_object_set_new(device, "cdev", has ? json_string(machine_shown(&node)) : json_null());
	json_object_set_new(device, "cdev_access",
			    has ? json_boolean(machine_may_open(&node)) : json_null());
}

static void
add_use(json_t *device, const char *bdf)
{
	char text[1024];

	in_use(bdf, text, sizeof(text));
	json_object_set_new(device, "in_use", text_or_null(text));
	ioasid_group_users(machine_devices(), bdf, text, sizeof(text));
	json_object_set_new(device, "group_users", text_or_null(text));
}

/* The group */

static json_t *
reserved(const struct ioasid_group_info *group)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < group->nreserved; i++) {
		const struct ioasid_reserved *r = &group->reserved[i];

		json_array_append_new(list,
				      json_pack("{s:o, s:o, s:s}", "start",
						json_sprintf("0x%" PRIx64, r->range.start), "last",
						json_sprintf("0x%" PRIx64, r->range.last), "type",
						r->type));
	}
	return list;
}

static json_t *
group_type(const struct ioasid_group_info *group)
{
	const struct path path = machine_path("/sys/kernel/iommu_groups/%u/type", group->number);
	char type[32];

	machine_line(&path, type, sizeof(type));
	return text_or_null(type);
}

/* VFIO's own groups, without any protection. */
static bool
is_no_iommu(const struct ioasid_group_info *group)
{
	const struct path path = machine_path("/sys/kernel/iommu_groups/%u/name", group->number);
	char name[32];

	return machine_line(&path, name, sizeof(name)) == 0 && strcmp(name, "vfio-noiommu") == 0;
}

static json_t *
iommu_of(const char *bdf)
{
	const struct path path = machine_path("/sys/bus/pci/devices/%s/iommu", bdf);
	char name[64];

	machine_link(&path, name, sizeof(name));
	return text_or_null(name);
}

const struct ioasid_member *
check_member(const struct ioasid_group_info *group, const char *bdf)
{
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (strcmp(group->members[i].bdf, bdf) == 0)
			return &group->members[i];
	return NULL;
}

static json_t *
group_of(const struct ioasid_group_info *group, const char *bdf)
{
	if (group == NULL)
		return json_null();
	return json_pack("{s:i, s:o, s:b, s:o, s:o, s:o}", "number", (int)group->number, "type",
			 group_type(group), "no_iommu", is_no_iommu(group), "iommu", iommu_of(bdf),
			 "reserved", reserved(group), "tree", check_tree(group, bdf));
}

/* The other endpoints: who could reach the memory of a program that uses the device. */
static json_t *
others(const struct ioasid_group_info *group, const char *bdf)
{
	json_t *list = json_array();

	for (unsigned int i = 0; group != NULL && i < group->nmembers; i++) {
		const struct ioasid_member *m = &group->members[i];
		char use[256];

		if (m->bridge || strcmp(m->bdf, bdf) == 0)
			continue;
		in_use(m->bdf, use, sizeof(use));
		json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "bdf", m->bdf, "driver",
						      text_or_null(m->driver), "in_use",
						      text_or_null(use)));
	}
	return list;
}

json_t *
check_device(const char *bdf)
{
	const struct ioasid_member *m = NULL;
	struct ioasid_group_info *group = NULL;
	struct ioasid_member alone;
	json_t *device;

	if (ioasid_group_info_read(machine_devices(), bdf, &group) == 0)
		m = check_member(group, bdf);
	if (m == NULL) {
		pci_read(bdf, &alone);
		m = &alone;
	}
	device = json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "bdf", bdf, "id",
			   json_sprintf("%04x:%04x", m->vendor, m->device), "class",
			   pci_class_name(m), "name", pci_name(m), "numa_node", numa_node(bdf),
			   "bridge", m->bridge, "system", pci_is_system(m), "driver",
			   text_or_null(m->driver), "group", group_of(group, bdf));
	add_cdev(device, m);
	add_use(device, bdf);
	json_object_set_new(device, "others", others(group, bdf));
	ioasid_group_info_free(group);
	return device;
}
