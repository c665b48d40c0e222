/* SPDX-License-Identifier: BSD-3-Clause */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/terminal.h"
#include "view/tree.h"
#include "view/view.h"

#define WIDTH 20 /* of the first column */

static void
label(const char *text)
{
	printf("  %-*s ", WIDTH, text);
}

static void line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
line(const char *name, const char *fmt, ...)
{
	va_list ap;

	label(name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static const char *
word(enum answer answer, const char *yes, const char *no)
{
	return answer == YES ? yes : answer == NO ? no : "unknown";
}

static const char *
name_word(const struct name *name)
{
	return name->is == YES ? name->s : name->is == NO ? "none" : "unknown";
}

/* "2 MiB"; exact where it can be. */
static const char *
size_text(uint64_t bytes, char buf[32])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (unit < 4 && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, 32, "%" PRIu64 " %s", bytes, units[unit]);
	return buf;
}

/* ---- the machine */

static void
print_iommufd(const struct iommufd *iommufd)
{
	const char *cdev = word(iommufd->cdev, "yes", "no");

	if (iommufd->node.there == YES)
		line("iommufd", "%s, %s; device cdevs: %s; map by file: %s; VF tokens: %s",
		     iommufd->node.path,
		     word(iommufd->node.may_open, "may be opened", "may not be opened"), cdev,
		     word(iommufd->map_file, "yes", "no"),
		     word(iommufd->vf_token, "checked", "not checked"));
	else
		line("iommufd", "%s; device cdevs: %s",
		     word(iommufd->in_kernel, "no node here, but in the kernel", "none"), cdev);
}

static void
print_iommus(const struct machine *machine)
{
	for (unsigned int i = 0; i < machine->niommus; i++) {
		const struct iommu *iommu = &machine->iommus[i];

		label(i == 0 ? "IOMMUs" : "");
		printf("%s, %s", iommu->name, iommu->type);
		if (iommu->width > 0)
			printf(", addresses of %u bits", iommu->width);
		putchar('\n');
	}
	if (machine->niommus == 0)
		line("IOMMUs", "none");
}

static void
print_hugepages(const struct memory *memory)
{
	char buf[32];

	for (unsigned int i = 0; i < memory->npages; i++) {
		const struct hugepages *pages = &memory->pages[i];

		label(i == 0 ? "hugepages" : "");
		if (pages->node >= 0)
			printf("NUMA node %d: ", pages->node);
		printf("%" PRIu64 " of %s, %" PRIu64 " free\n", pages->total,
		       size_text(pages->size, buf), pages->free);
	}
	if (memory->npages == 0)
		line("hugepages", "none");
	for (unsigned int i = 0; i < memory->nmounts; i++)
		line(i == 0 ? "hugetlbfs" : "", "%s, pages of %s", memory->mounts[i].path,
		     memory->mounts[i].size > 0 ? size_text(memory->mounts[i].size, buf)
						: "unknown size");
	if (memory->nmounts == 0)
		line("hugetlbfs", "%s", word(memory->mounts_known, "not mounted", ""));
}

static void
print_memory(const struct machine *machine)
{
	const struct memory *memory = &machine->memory;
	char limit[32], pages[32];

	print_hugepages(memory);
	line("locked memory", "%s%s; hugepages: %s",
	     memory->unlimited ? "unlimited" : size_text(memory->limit, limit),
	     machine->user.may_lock == YES ? ", without effect on this user (CAP_IPC_LOCK)" : "",
	     size_text(memory->bytes, pages));
}

static void
print_programs(const struct programs *programs)
{
	for (unsigned int i = 0; i < programs->ndpdks; i++)
		line(i == 0 ? "DPDK" : "", "ABI %s (%s), %s", programs->dpdks[i].abi,
		     programs->dpdks[i].releases, programs->dpdks[i].path);
	if (programs->ndpdks == 0)
		line("DPDK", "none with shared libraries");
	if (programs->plugin == YES)
		line("plugin", "ABI %s, %s", programs->plugin_abi, programs->plugin_path);
	else
		line("plugin", "none");
}

static void
print_machine(const struct machine *machine)
{
	const struct interrupts *interrupts = &machine->interrupts;

	printf("%sthis machine%s\n", terminal(BOLD), terminal(PLAIN));
	line("Linux", "%s", machine->kernel[0] != '\0' ? machine->kernel : "unknown");
	if (machine->acs_override.is == YES)
		line("", "pcie_acs_override=%s", machine->acs_override.s);
	print_iommufd(&machine->iommufd);
	line("vfio-pci", "%s%s", word(machine->vfio.driver, "loaded", "not loaded"),
	     machine->vfio.no_iommu == YES ? "; VFIO without IOMMU is allowed" : "");
	print_iommus(machine);
	line("interrupts", "%s%s", word(interrupts->remapped, "remapped", "not remapped"),
	     interrupts->unsafe_allowed == YES ? "; unsafe ones are allowed" : "");
	print_memory(machine);
	print_programs(&machine->programs);
}

/* ---- a device */

static void
print_acs(const struct acs *acs)
{
	if (acs->has == YES)
		printf(", ACS SV%c RR%c CR%c UF%c", acs->on & 0x01 ? '+' : '-',
		       acs->on & 0x04 ? '+' : '-', acs->on & 0x08 ? '+' : '-',
		       acs->on & 0x10 ? '+' : '-');
	else
		printf(", %s", word(acs->has, "", "no ACS"));
	if (acs->has == UNKNOWN)
		printf(" ACS");
}

static void
print_node(const struct tree *tree, const struct device *node, unsigned int depth, void *arg)
{
	(void)arg;
	printf("  %-*s %*s%s %s, driver %s", WIDTH, "", (int)depth * 2 + 2, "", node->member.bdf,
	       node->id_name, node->member.driver[0] != '\0' ? node->member.driver : "none");
	if (node->member.bridge)
		print_acs(&node->acs);
	printf(": %s\n", member_state(tree->device, node));
}

static void
print_group(const struct machine *machine, const struct device *device)
{
	const struct group *group = device->group;

	if (group == NULL) {
		line("IOMMU group", "%s", word(device->has_group, "unknown", "none"));
		return;
	}
	line("IOMMU group", "%u, domain type %s, IOMMU %s", group->number, name_word(&group->type),
	     name_word(&device->iommu));
	for (unsigned int i = 0; i < group->nreserved; i++) {
		const struct ioasid_reserved *r = &group->reserved[i];

		line(i == 0 ? "reserved" : "", "0x%" PRIx64 "-0x%" PRIx64 " %s", r->range.start,
		     r->range.last, r->type);
	}
	line("members", "from the root down");
	tree_walk(machine, device, print_node, NULL);
}

static void
print_uses(const struct device *device)
{
	for (unsigned int i = 0; i < device->nuses; i++) {
		char *text = use_text(&device->uses[i]);

		line(i == 0 ? "in use" : "", "%s", text);
		free(text);
	}
	if (device->nuses == 0)
		line("in use", "none");
}

static void
print_opinion(const struct opinion *opinion)
{
	const enum colour colour = opinion->verdict <= VERDICT_COMPLETE  ? GREEN
				   : opinion->verdict <= VERDICT_UNKNOWN ? YELLOW
									 : RED;
	const char *before = "but";

	line("verdict", "%s%s%s: %s", terminal(colour), verdict_name(opinion->verdict),
	     terminal(PLAIN), opinion->reason);
	for (unsigned int i = 0; i < opinion->nfindings; i++) {
		if (!finding_is_note(opinion, &opinion->findings[i]))
			continue;
		line(before, "%s", opinion->findings[i].text);
		before = "";
	}
	for (unsigned int i = 0; i < opinion->nnext; i++)
		line(i == 0 ? "next" : "", "%s", opinion->next[i]);
}

static void
print_device(const struct machine *machine, const struct opinion *opinion)
{
	const struct device *device = opinion->device;

	printf("\n%s%s%s %s: %s [%04x:%04x]\n", terminal(BOLD), device->member.bdf, terminal(PLAIN),
	       device->class_name, device->id_name, device->member.vendor, device->member.device);
	if (device->numa.is == YES)
		line("NUMA node", "%" PRIu64, device->numa.n);
	else
		line("NUMA node", "unknown");
	line("driver", "%s", name_word(&device->driver));
	line("DPDK's driver", "%s", device->pmd.has == YES ? device->pmd.name : "none");
	if (device->cdev.path[0] != '\0')
		line("cdev", "%s, %s", device->cdev.path,
		     device->cdev.there != YES
			     ? "not there"
			     : word(device->cdev.may_open, "may be opened", "may not be opened"));
	else
		line("cdev", "none");
	print_uses(device);
	print_group(machine, device);
	print_opinion(opinion);
}

void
view_text(const struct report *report)
{
	print_machine(report->machine);
	for (unsigned int i = 0; i < report->count; i++)
		print_device(report->machine, report->opinions[i]);
	if (report->machine->devices_known == UNKNOWN)
		puts("\nthe PCI devices cannot be read");
	else if (report->count == 0)
		puts("\nno devices that DPDK has drivers for: name others, or see --all");
}
