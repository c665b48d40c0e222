/* SPDX-License-Identifier: BSD-3-Clause */

/* IOMMUs, and whether interrupts are isolated. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/files.h"
#include "machine/model.h"

static uint64_t
read_register(const char *iommu, const char *file, bool second)
{
	const struct path path = machine_path("/sys/class/iommu/%s/%s", iommu, file);
	const char *colon;
	char line[64];

	machine_line(&path, line, sizeof(line));
	colon = strchr(line, ':');
	return strtoull(second && colon != NULL ? colon + 1 : line, NULL, 16);
}

/* The capability register's SAGAW says how many levels page tables may have, MGAW the bits. */
static unsigned int
intel_width(const char *name)
{
	const uint64_t cap = read_register(name, "intel-iommu/cap", false);
	const unsigned int levels = (cap >> 8) & 0x1f, most = ((cap >> 16) & 0x3f) + 1;
	unsigned int width = 0;

	for (unsigned int level = 1; level <= 3; level++)
		if (levels & 1u << level)
			width = 30 + 9 * level;
	return width < most ? width : most;
}

/*
 * The extended features' HATS: levels of host page tables beyond four. Before Linux 6.7
 * they are the second of two numbers, since then the first.
 */
static unsigned int
amd_width(const char *name, unsigned int kernel)
{
	static const unsigned int widths[] = { 48, 57, 64, 0 };

	return widths[read_register(name, "amd-iommu/features", kernel < 0x0607) >> 10 & 3];
}

static bool
has(const char *name, const char *what)
{
	const struct path path = machine_path("/sys/class/iommu/%s/%s", name, what);

	return machine_exists(&path);
}

static void
describe(struct iommu *iommu, const char *name, unsigned int kernel)
{
	snprintf(iommu->name, sizeof(iommu->name), "%s", name);
	machine_printable(iommu->name);
	iommu->type = strncmp(name, "smmu", 4) == 0 ? "arm-smmu" : "other";
	if (has(name, "intel-iommu")) {
		iommu->type = "intel-iommu";
		iommu->width = intel_width(name);
	} else if (has(name, "amd-iommu")) {
		iommu->type = "amd-iommu";
		iommu->width = amd_width(name, kernel);
	}
}

void
iommus_read(struct machine *machine)
{
	const struct path dir = machine_path("/sys/class/iommu");
	char **names;
	int n = machine_list(&dir, &names);

	for (int i = 0; i < n; i++) {
		machine->iommus =
			list_grow(machine->iommus, machine->niommus, sizeof(*machine->iommus));
		describe(&machine->iommus[machine->niommus++], names[i], machine->kernel_number);
	}
	machine_list_free(names, n);
}

/*
 * What the kernel calls isolated MSIs (IRQ_DOMAIN_FLAG_ISOLATED_MSI), by the names of the
 * chips in /proc/interrupts. x86: they begin with "IR-" where interrupts are remapped
 * (drivers/iommu/{intel,amd}); without it there are "IO-APIC" or "PCI-MSI" alone. arm64: the
 * ITS isolates (drivers/irqchip/irq-gic-v3-its.c), as "ITS-MSI", since Linux 6.11 as
 * "ITS-PCI-MSIX-0002:00:00.0". Others, as RISC-V's IMSIC: the kernel knows at BIND.
 */
static enum answer
remapped_by(const char *line)
{
	if (strstr(line, " IR-") != NULL || strstr(line, " ITS-") != NULL)
		return YES;
	if (strstr(line, " IO-APIC") != NULL || strstr(line, " PCI-MSI") != NULL)
		return NO;
	return UNKNOWN;
}

void
interrupts_read(struct machine *machine)
{
	static const char iommufd[] = "iommufd.allow_unsafe_interrupts";
	static const char type1[] = "vfio_iommu_type1.allow_unsafe_interrupts";
	const bool has_iommufd =
		machine->iommufd.in_kernel == YES || machine->iommufd.loadable == YES;
	const struct path path = machine_path("/proc/interrupts");
	const struct path allowed =
		machine_path("/sys/module/%s/parameters/allow_unsafe_interrupts",
			     has_iommufd ? "iommufd" : "vfio_iommu_type1");
	struct interrupts *interrupts = &machine->interrupts;
	FILE *f = fopen(path.s, "re");
	bool yes = false, no = false;
	char *line = NULL;
	size_t size = 0;

	while (f != NULL && getline(&line, &size, f) > 0) {
		const enum answer one = remapped_by(line);

		yes = yes || one == YES;
		no = no || one == NO;
	}
	/* Of both kinds: whose the device's will be shows when it has some. */
	if (yes != no)
		interrupts->remapped = answer_of(yes);
	free(line);
	if (f != NULL)
		fclose(f);
	interrupts->parameter = has_iommufd ? iommufd : type1;
	/* A module that is not loaded has allowed nothing. */
	interrupts->unsafe_allowed = machine_exists(&allowed) ? machine_flag(&allowed) : NO;
}
