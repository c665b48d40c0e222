/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The model as JSON: doc/guides/check.schema.json. What could not be read is null; of names
 * false is "there is none".
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "view/tree.h"
#include "view/view.h"

#define VERSION_OF_SCHEMA 1

static json_t *
of_answer(enum answer answer)
{
	return answer == UNKNOWN ? json_null() : json_boolean(answer == YES);
}

static json_t *
of_name(const struct name *name)
{
	return name->is == YES ? json_string(name->s) : name->is == NO ? json_false() : json_null();
}

static json_t *
of_text(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *
of_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
of_node(const struct node *node)
{
	if (node->there == NO || node->path[0] == '\0')
		return json_false();
	return json_pack("{s:s, s:o, s:o}", "path", node->path, "there", of_answer(node->there),
			 "access", of_answer(node->may_open));
}

/* ---- the machine */

static json_t *
of_iommufd(const struct iommufd *iommufd)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "node", of_node(&iommufd->node), "in_kernel",
			 of_answer(iommufd->in_kernel), "cdev", of_answer(iommufd->cdev),
			 "map_file", of_answer(iommufd->map_file), "vf_token",
			 of_answer(iommufd->vf_token));
}

static json_t *
of_iommus(const struct machine *machine)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < machine->niommus; i++) {
		const struct iommu *iommu = &machine->iommus[i];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:o}", "name", iommu->name, "type", iommu->type,
					"width",
					iommu->width > 0 ? of_number(iommu->width) : json_null()));
	}
	return list;
}

static json_t *
of_hugepages(const struct memory *memory)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < memory->npages; i++) {
		const struct hugepages *p = &memory->pages[i];

		json_array_append_new(list,
				      json_pack("{s:o, s:o, s:o, s:o}", "numa_node",
						p->node >= 0 ? json_integer(p->node) : json_null(),
						"size", of_number(p->size), "total",
						of_number(p->total), "free", of_number(p->free)));
	}
	return list;
}

static json_t *
of_mounts(const struct memory *memory)
{
	json_t *list = json_array();

	if (memory->mounts_known != YES) {
		json_decref(list);
		return json_null();
	}
	for (unsigned int i = 0; i < memory->nmounts; i++) {
		const struct hugetlbfs *m = &memory->mounts[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:o}", "path", m->path, "size",
						m->size > 0 ? of_number(m->size) : json_null()));
	}
	return list;
}

static json_t *
of_memory(const struct machine *machine)
{
	const struct memory *m = &machine->memory;

	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o}", "hugepages", of_hugepages(m),
			 "hugetlbfs", of_mounts(m), "hugepage_bytes", of_number(m->bytes),
			 "memlock", m->unlimited ? json_null() : of_number(m->limit),
			 "memlock_unlimited", m->unlimited, "memlock_ignored",
			 of_answer(machine->user.may_lock));
}

static json_t *
of_dpdks(const struct programs *programs)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < programs->ndpdks; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s}", "abi", programs->dpdks[i].abi,
						"releases", programs->dpdks[i].releases, "path",
						programs->dpdks[i].path));
	return list;
}

static json_t *
of_plugin(const struct programs *programs)
{
	if (programs->plugin != YES)
		return json_false();
	return json_pack("{s:s, s:s}", "path", programs->plugin_path, "abi", programs->plugin_abi);
}

static json_t *
of_guard(const struct guard *guard)
{
	static const char *const rules[] = {
		[GUARD_BOUND] = "bound",
		[GUARD_JOINED] = "joined",
		[GUARD_ALONE] = "alone",
	};

	if (guard->there != YES)
		return of_answer(guard->there);
	return json_pack("{s:b, s:b, s:s}", "whole", !guard->broken, "enforcing",
			 !guard->broken && !guard->report_only, "rule", rules[guard->rule]);
}

static json_t *
of_machine(const struct machine *m)
{
	json_t *vfio =
		json_pack("{s:o, s:o, s:o}", "vfio_pci", of_answer(m->vfio.driver), "no_iommu",
			  of_answer(m->vfio.no_iommu), "denylist", of_answer(m->vfio.denylist));
	json_t *interrupts = json_pack(
		"{s:o, s:o, s:s}", "remapped", of_answer(m->interrupts.remapped), "unsafe_allowed",
		of_answer(m->interrupts.unsafe_allowed), "parameter", m->interrupts.parameter);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kernel",
			 of_text(m->kernel), "acs_override", of_name(&m->acs_override), "iommufd",
			 of_iommufd(&m->iommufd), "vfio", vfio, "iommus", of_iommus(m),
			 "interrupts", interrupts, "memory", of_memory(m), "dpdk",
			 of_dpdks(&m->programs), "plugin", of_plugin(&m->programs), "guard",
			 of_guard(&m->guard));
}

/* ---- a device */

static json_t *
of_reserved(const struct group *group)
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
of_acs(const struct acs *acs)
{
	if (acs->has != YES)
		return of_answer(acs->has);
	return json_pack("{s:b, s:b, s:b, s:b}", "source_validation", !!(acs->on & 0x01),
			 "request_redirect", !!(acs->on & 0x04), "completion_redirect",
			 !!(acs->on & 0x08), "upstream_forwarding", !!(acs->on & 0x10));
}

struct nested {
	json_t *at[64]; /* the lists of children, by depth */
};

static void
add_node(const struct tree *tree, const struct device *node, unsigned int depth, void *arg)
{
	struct nested *nested = arg;
	json_t *children = json_array();

	if (depth + 1 >= sizeof(nested->at) / sizeof(nested->at[0]))
		return;
	json_array_append_new(
		nested->at[depth],
		json_pack("{s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:s, s:o}", "bdf", node->member.bdf,
			  "name", node->id_name, "member", node->group == tree->device->group,
			  "bridge", node->member.bridge, "exempt", ioasid_is_exempt(&node->member),
			  "driver", of_text(node->member.driver), "acs",
			  node->member.bridge ? of_acs(&node->acs) : json_null(), "state",
			  member_state(tree->device, node), "children", children));
	nested->at[depth + 1] = children;
}

static json_t *
of_group(const struct machine *machine, const struct device *device)
{
	const struct group *group = device->group;
	struct nested nested = { { json_array() } };

	if (group == NULL) {
		json_decref(nested.at[0]);
		return device->has_group == NO ? json_false() : json_null();
	}
	tree_walk(machine, device, add_node, &nested);
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "number", (int)group->number, "type",
			 of_name(&group->type), "no_iommu", of_answer(group->no_iommu), "iommu",
			 of_name(&device->iommu), "reserved", of_reserved(group), "tree",
			 nested.at[0]);
}

/* Those that must be named, too. */
static json_t *
of_others(const struct device *device)
{
	const struct group *group = device->group;
	json_t *list = json_array();

	for (unsigned int i = 0; group != NULL && i < group->nmembers; i++)
		if (is_other(device, group->members[i]))
			json_array_append_new(list, json_string(group->members[i]->member.bdf));
	return list;
}

static json_t *
of_uses(const struct device *device)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < device->nuses; i++) {
		char *text = use_text(&device->uses[i]);

		json_array_append_new(list, json_pack("{s:b, s:s}", "certain",
						      device->uses[i].is == YES, "text", text));
		free(text);
	}
	return list;
}

static json_t *
of_pmd(const struct pmd *pmd)
{
	if (pmd->has != YES)
		return of_answer(pmd->has);
	return json_pack("{s:s, s:b}", "name", pmd->name, "bifurcated", pmd->bifurcated);
}

static json_t *
of_findings(const struct opinion *opinion)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < opinion->nfindings; i++) {
		const struct finding *f = &opinion->findings[i];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:o}", "id", f->judgement->id, "outcome",
					outcome_name(f->outcome), "text",
					f->text != NULL ? json_string(f->text) : json_null()));
	}
	return list;
}

static json_t *
of_notes(const struct opinion *opinion)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < opinion->nfindings; i++)
		if (finding_is_note(opinion, &opinion->findings[i]))
			json_array_append_new(list, json_string(opinion->findings[i].text));
	return list;
}

static json_t *
of_next(const struct opinion *opinion)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < opinion->nnext; i++)
		json_array_append_new(list, json_string(opinion->next[i]));
	return list;
}

static json_t *
of_device(const struct machine *machine, const struct opinion *opinion)
{
	const struct device *d = opinion->device;
	json_t *object = json_pack(
		"{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "bdf", d->member.bdf,
		"id", json_sprintf("%04x:%04x", d->member.vendor, d->member.device), "class",
		d->class_name, "name", d->id_name, "numa_node",
		d->numa.is == YES ? of_number(d->numa.n) : json_null(), "driver",
		of_name(&d->driver), "dpdk_driver", of_pmd(&d->pmd), "cdev", of_node(&d->cdev),
		"uses", of_uses(d), "group", of_group(machine, d), "others", of_others(d));

	json_object_set_new(object, "verdict", json_string(verdict_name(opinion->verdict)));
	json_object_set_new(object, "reason", json_string(opinion->reason));
	json_object_set_new(object, "findings", of_findings(opinion));
	json_object_set_new(object, "notes", of_notes(opinion));
	json_object_set_new(object, "next", of_next(opinion));
	return object;
}

void
view_json(const struct report *report)
{
	json_t *devices = json_array(), *result;

	for (unsigned int i = 0; i < report->count; i++)
		json_array_append_new(devices, of_device(report->machine, report->opinions[i]));
	result = json_pack("{s:i, s:o, s:o, s:o}", "version", VERSION_OF_SCHEMA, "machine",
			   of_machine(report->machine), "devices_known",
			   of_answer(report->machine->devices_known), "devices", devices);
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(result);
}
