/* SPDX-License-Identifier: BSD-3-Clause */

/* Judgements on isolation that the kernel's groups do not show. */

#include <stdlib.h>
#include <string.h>

#include "judge/list.h"

/* PCI Express 7.7.11.3, and what the kernel asks of a port (drivers/iommu/iommu.c) */
#define ACS_DIRECT   0x40 /* translated requests go from device to device */
#define ACS_REQUIRED 0x1d /* SV RR CR UF */

/* IRQ_DOMAIN_FLAG_ISOLATED_MSI; iommufd and VFIO refuse BIND without (drivers/iommu/iommufd). */
enum outcome
judge_interrupts(const struct situation *s, struct finding *f)
{
	const struct interrupts *interrupts = &s->machine->interrupts;

	if (s->device->group == NULL)
		return OUTCOME_NONE;
	if (interrupts->remapped == YES || interrupts->unsafe_allowed == YES)
		return OUTCOME_GOOD;
	if (interrupts->remapped == NO)
		return say(f, OUTCOME_BAD,
			   "the IOMMU does not remap interrupts, so a device could raise any: "
			   "switch interrupt remapping on in the firmware's setup, or accept the "
			   "risk by the kernel argument %s=1",
			   interrupts->parameter);
	return say(f, OUTCOME_UNKNOWN,
		   "whether interrupts are isolated is not shown here; if they are not, the kernel "
		   "refuses it when a program starts");
}

enum outcome
judge_interrupts_unsafe(const struct situation *s, struct finding *f)
{
	const struct interrupts *interrupts = &s->machine->interrupts;

	if (interrupts->remapped != NO || interrupts->unsafe_allowed != YES)
		return OUTCOME_NONE;
	return say(
		f, OUTCOME_BAD,
		"interrupts are not remapped, which was allowed (%s): the device could raise any",
		interrupts->parameter);
}

/* virtio 1.2, 6.1: without VIRTIO_F_ACCESS_PLATFORM DMA is to guest-physical addresses. */
enum outcome
judge_virtio_dma(const struct situation *s, struct finding *f)
{
	const struct group *group = s->device->group;
	const struct device *unknown = NULL;

	for (unsigned int i = 0; group != NULL && i < group->nmembers; i++) {
		const struct device *d = group->members[i];

		if (d->virtio != YES)
			continue;
		if (d->access_platform == NO)
			return say(f, OUTCOME_BAD,
				   "the DMA of %s bypasses the IOMMU (virtio without "
				   "VIRTIO_F_ACCESS_PLATFORM): a program would read and write the "
				   "wrong memory; the virtual machine must give it the feature "
				   "(QEMU: iommu_platform=on,disable-legacy=on)",
				   d->member.bdf);
		if (d->access_platform == UNKNOWN)
			unknown = d;
	}
	if (unknown != NULL)
		return say(f, OUTCOME_UNKNOWN,
			   "whether the DMA of %s goes through the IOMMU "
			   "(VIRTIO_F_ACCESS_PLATFORM) cannot be read: %s, while no program has it",
			   unknown->member.bdf, who_can(&s->machine->user));
	return group != NULL && s->device->virtio == YES ? OUTCOME_GOOD : OUTCOME_NONE;
}

/*
 * pcie_acs_override, a patch that distributions and appliances carry: the kernel takes ports
 * and functions for isolating that do not have the capability.
 */
static bool
needs_override(const struct device *d)
{
	for (const struct device *p = d->parent; p != NULL; p = p->parent)
		if (p->downstream_port != NO && p->acs.has != YES)
			return true;
	return d->multifunction != NO && d->acs.has != YES;
}

enum outcome
judge_acs_override(const struct situation *s, struct finding *f)
{
	const struct name *override = &s->machine->acs_override;

	if (s->device->group == NULL)
		return OUTCOME_NONE;
	if (override->is == UNKNOWN)
		return say(f, OUTCOME_UNKNOWN,
			   "the kernel's command line cannot be read, so groups may be pretended "
			   "(pcie_acs_override)");
	if (override->is == NO)
		return OUTCOME_GOOD;
	if (!needs_override(s->device))
		return OUTCOME_GOOD;
	return say(f, OUTCOME_BAD,
		   "its group is pretended: the kernel argument pcie_acs_override=%s has it take "
		   "hardware for isolating that is not; others may reach it past the IOMMU, and it "
		   "them: remove the argument and see the real groups",
		   override->s);
}

/* What can be controlled and is off; what cannot is hard-wired on (drivers/pci/pci.c). */
static bool
is_off(const struct acs *acs)
{
	return acs->has == YES && (acs->on & acs->can & ACS_REQUIRED) != (acs->can & ACS_REQUIRED);
}

/* A port that has one only because the kernel knows its quirk proves nothing. */
static enum outcome
judge_way_up(const struct device *d, struct finding *f)
{
	enum outcome outcome = OUTCOME_GOOD;

	if (d->multifunction == YES && is_off(&d->acs))
		return say(
			f, OUTCOME_BAD,
			"%s does not isolate its functions from each other: ACS is there and off",
			d->member.bdf);
	for (const struct device *p = d->parent; p != NULL; p = p->parent) {
		if (p->downstream_port == NO)
			continue;
		if (is_off(&p->acs))
			return say(f, OUTCOME_BAD,
				   "requests from behind %s may reach other devices past the "
				   "IOMMU: its ACS is there and off, as setpci does it for "
				   "GPUDirect; groups were made at boot, when it was on",
				   p->member.bdf);
		if (p->acs.has == YES && p->acs.on & ACS_DIRECT && d->ats != NO)
			return say(f, OUTCOME_BAD,
				   "the port %s lets translated requests pass to other devices "
				   "(ACS direct translated), and %s can make them (ATS)",
				   p->member.bdf, d->member.bdf);
		if (p->acs.has == UNKNOWN || p->downstream_port == UNKNOWN)
			outcome = OUTCOME_UNKNOWN;
	}
	return outcome;
}

enum outcome
judge_acs_off(const struct situation *s, struct finding *f)
{
	const struct group *group = s->device->group;
	enum outcome outcome = OUTCOME_GOOD;

	for (unsigned int i = 0; group != NULL && i < group->nmembers; i++) {
		const struct device *d = group->members[i];
		const enum outcome one =
			ioasid_is_exempt(&d->member) ? OUTCOME_GOOD : judge_way_up(d, f);

		if (one == OUTCOME_BAD)
			return one;
		if (one == OUTCOME_UNKNOWN)
			outcome = one;
	}
	if (outcome == OUTCOME_UNKNOWN)
		say(f, outcome, "whether the ports above it still isolate (ACS) cannot be read: %s",
		    who_can(&s->machine->user));
	return group != NULL ? outcome : OUTCOME_NONE;
}

/* Documentation/ABI/testing/sysfs-devices-removable: firmware's ExternalFacingPort. */
enum outcome
judge_external(const struct situation *s, struct finding *f)
{
	for (const struct device *d = s->device; d != NULL; d = d->parent)
		if (d->removable == YES)
			return say(
				f, OUTCOME_BAD,
				"it is behind a port that leads outside (Thunderbolt, USB4, a slot "
				"of a case): whoever can reach that may put another device there%s",
				s->device->ats == YES
					? "; it has ATS, by which a device could claim to have "
					  "asked the IOMMU, and which the kernel leaves off there"
					: "");
	return OUTCOME_GOOD;
}
