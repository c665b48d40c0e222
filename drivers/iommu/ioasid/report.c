/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_common.h>

#include "explicit_set.h"
#include "log.h"
#include "report.h"

static bool
at_risk(const struct ioasid_member *m)
{
	return m->standing == IOASID_AT_RISK;
}

/* Why a member has not joined, as far as the user can mend it. */
static const char *
state_of(const struct ioasid_member *m)
{
	const bool named = explicit_set_names(m);

	if (ioasid_is_on_vfio(m))
		return named ? "named, but it could not join" : "not named by -a";
	return named ? "named, but not bound to vfio-pci"
		     : "not named by -a, not bound to vfio-pci";
}

static void
print_missing(FILE *f, const struct ioasid_group_info *group)
{
	for (unsigned int i = 0; i < group->nmembers; i++) {
		const struct ioasid_member *m = &group->members[i];

		if (at_risk(m))
			fprintf(f, "\n  %s [%04x:%04x] class %06x, driver %s: %s", m->bdf,
				m->vendor, m->device, m->class_code,
				m->driver[0] != '\0' ? m->driver : "none", state_of(m));
	}
}

static void
print_bdfs(FILE *f, const struct ioasid_group_info *group, const char *before, const char *between)
{
	const char *sep = "";

	for (unsigned int i = 0; i < group->nmembers; i++) {
		if (!at_risk(&group->members[i]))
			continue;
		fprintf(f, "%s%s%s", sep, before, group->members[i].bdf);
		sep = between;
	}
}

static void
print_refusal(FILE *f, const struct ioasid_report *r)
{
	const struct ioasid_group_info *group = r->group;

	fprintf(f,
		"%s refused: its IOMMU group %u holds other devices, which could reach\n"
		"  this program's memory, and which have not joined:",
		r->bdf, group->number);
	print_missing(f, group);
	fprintf(f, "\n Three ways out:"
		   "\n  1. name them too:   dpdk-devbind.py -b vfio-pci ");
	print_bdfs(f, group, "", " ");
	fprintf(f, "\n                      and add to the command line: ");
	print_bdfs(f, group, "-a ", " ");
	fprintf(f, "\n  2. move the card to a slot with an IOMMU group of its own"
		   "\n  3. accept the risk: --allow-insecure-vfio");
}

static void
refuse_noiommu(const char *bdf)
{
	IOASID_LOG(ERR,
		   "%s refused: there is no IOMMU behind it (VFIO's no-IOMMU mode), it could "
		   "reach all\n  memory of this machine. Switch the IOMMU on, or accept the "
		   "risk: --allow-insecure-vfio",
		   bdf);
}

static void
tell_past_iommu(const struct ioasid_group_info *group, bool refused)
{
	for (unsigned int i = 0; i < group->nmembers; i++) {
		const char *bdf = group->members[i].bdf;

		if (!group->members[i].past_iommu)
			continue;
		if (refused)
			IOASID_LOG(
				ERR,
				"%s refused: a virtio device without VIRTIO_F_ACCESS_PLATFORM, or "
				"it does not tell: its DMA\n  goes past the IOMMU, to all memory "
				"of "
				"this machine. Have it given to the machine with that feature\n  "
				"(of QEMU: iommu_platform=on,disable-legacy=on), or accept the "
				"risk: --allow-insecure-vfio",
				bdf);
		else
			IOASID_LOG(
				WARNING,
				"%s does its DMA PAST THE IOMMU: it can reach ALL memory of this "
				"machine, and takes DPDK's\n  I/O addresses for physical ones "
				"(--allow-insecure-vfio)",
				bdf);
	}
}

/* What is printed, for free(); NULL: out of memory. */
static char *
composed(void (*print)(FILE *f, const struct ioasid_report *r), const struct ioasid_report *r)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f != NULL) {
		print(f, r);
		fclose(f);
	}
	return text;
}

static void
refuse(const struct ioasid_report *r)
{
	char *text;

	if (r->group->noiommu) {
		refuse_noiommu(r->bdf);
		return;
	}
	tell_past_iommu(r->group, true);
	if (ioasid_group_at_risk(r->group) == 0)
		return;
	text = composed(print_refusal, r);
	if (text != NULL)
		IOASID_LOG(ERR, "%s", text);
	else
		IOASID_LOG(ERR,
			   "%s refused: %u other device(s) of its IOMMU group %u have not joined; "
			   "no memory to list them",
			   r->bdf, ioasid_group_at_risk(r->group), r->group->number);
	free(text);
}

/* Who shares the group is the likely cause: what would have each of them allowed. */
static void
print_forbidden(FILE *f, const struct ioasid_report *r)
{
	fprintf(f,
		"%s refused by the kernel, though the group rule here allows it: one of its\n"
		"  security modules forbids it (Operation not permitted).",
		r->bdf);
	if (ioasid_group_at_risk(r->group) == 0)
		return;
	fprintf(f,
		"\n  Where that is the guard (`dpdk-ioasid guard status` tells), root can have it "
		"allow\n  what shares IOMMU group %u:",
		r->group->number);
	for (unsigned int i = 0; i < r->group->nmembers; i++)
		if (at_risk(&r->group->members[i]))
			fprintf(f, "\n  dpdk-ioasid guard allow device %s",
				r->group->members[i].bdf);
}

static void
tell_forbidden(const struct ioasid_report *r)
{
	char *text = composed(print_forbidden, r);

	if (text != NULL)
		IOASID_LOG(ERR, "%s", text);
	else
		IOASID_LOG(ERR, "%s refused by the kernel: Operation not permitted", r->bdf);
	free(text);
}

/* The sentence starts as users know it, not with the device that is attached. */
static void
warn(const struct ioasid_report *r, const char *list)
{
	if (r->accepted)
		IOASID_LOG(
			WARNING,
			"these PCI BDFs are also at risk: [%s]\n"
			"  (they share IOMMU group %u with %s and can reach this program's memory;"
			"\n  --allow-insecure-vfio)",
			list, r->group->number, r->bdf);
	else
		IOASID_LOG(WARNING,
			   "these PCI BDFs are also at risk: [%s]\n"
			   "  (they came to IOMMU group %u, or left, while %s was in use, and can "
			   "reach "
			   "this\n  program's memory: bind them to vfio-pci and attach them too, "
			   "remove "
			   "them, or detach %s)",
			   list, r->group->number, r->bdf, r->bdf);
}

/* Without memory for the list, a warning for each. */
static void
warn_each(const struct ioasid_report *r)
{
	for (unsigned int i = 0; i < r->group->nmembers; i++)
		if (at_risk(&r->group->members[i]))
			warn(r, r->group->members[i].bdf);
}

static void
print_at_risk(FILE *f, const struct ioasid_report *r)
{
	print_bdfs(f, r->group, "", ", ");
}

static void
warn_all(const struct ioasid_report *r)
{
	char *text = composed(print_at_risk, r);

	if (text != NULL)
		warn(r, text);
	else
		warn_each(r);
	free(text);
}

static void
tell_risk(const struct ioasid_report *r)
{
	if (r->group->noiommu)
		IOASID_LOG(WARNING,
			   "%s has NO IOMMU: it can reach ALL memory of this machine "
			   "(--allow-insecure-vfio)",
			   r->bdf);
	tell_past_iommu(r->group, false);
	if (ioasid_group_at_risk(r->group) > 0)
		warn_all(r);
}

static void
show_exempt(const struct ioasid_group_info *group)
{
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (group->members[i].standing == IOASID_EXEMPT)
			IOASID_LOG(DEBUG, "%s in IOMMU group %u is a %s: exempt",
				   group->members[i].bdf, group->number,
				   group->members[i].bridge ? "bridge" : "host bridge");
}

/* What the user can type after a failure of lib/ioasid, which knows no DPDK. */
static const char *
way_out(enum report_doing doing, int err)
{
	static const struct {
		enum report_doing doing;
		int err;
		const char *text;
	} rows[] = {
		{ REPORT_JOIN, EKEYREJECTED, "; for DPDK by --vfio-vf-token UUID" },
		{ REPORT_JOIN, ENOTSUP, ", or see --ioasid-mode container" },
		{ REPORT_ATTACH, EADDRINUSE, "; for DPDK by --base-virtaddr or --iova-mode=pa" },
		{ REPORT_MAP, EADDRINUSE, "; for DPDK's memory by --base-virtaddr" },
		{ REPORT_MAP, EADDRNOTAVAIL, "; for DPDK's memory by --base-virtaddr" },
		{ REPORT_MAP, EINVAL, "; for DPDK's memory by --base-virtaddr" },
	};

	for (size_t i = 0; i < RTE_DIM(rows); i++)
		if (rows[i].doing == doing && rows[i].err == abs(err))
			return rows[i].text;
	return "";
}

void
report_news(const struct ioasid_report *r)
{
	switch (r->news) {
	case IOASID_NEWS_ATTACHED:
		show_exempt(r->group);
		break;
	case IOASID_NEWS_REFUSED:
		refuse(r);
		break;
	case IOASID_NEWS_FORBIDDEN:
		tell_forbidden(r);
		break;
	case IOASID_NEWS_AT_RISK:
		tell_risk(r);
		break;
	case IOASID_NEWS_UNKNOWN:
		IOASID_LOG(ERR,
			   "%s: who shares its IOMMU group with it cannot be told any more: %s. "
			   "Detach it if that is not what you expect",
			   r->bdf, ioasid_error());
		break;
	case IOASID_NEWS_NOT_JOINED:
		IOASID_LOG(WARNING, "%s%s", ioasid_error(), way_out(REPORT_JOIN, r->err));
		break;
	}
}

void
report_failure(enum report_doing doing, int err)
{
	IOASID_LOG(ERR, "%s%s", ioasid_error(), way_out(doing, err));
}
