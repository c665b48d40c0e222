/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explicit_set.h"
#include "group_report.h"
#include "log.h"
#include "options.h"

/* The at-risk list that was last printed for a group. */
struct warned {
	SLIST_ENTRY(warned) entry;
	unsigned int group;
	char *list;
};

static SLIST_HEAD(, warned) all_warned = SLIST_HEAD_INITIALIZER(all_warned);

unsigned int
group_count_at_risk(const struct ioasid_group *group, group_at_risk_fn at_risk)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < group->nmembers; i++)
		n += at_risk(&group->members[i]);
	return n;
}

/* Why a member has not joined, as far as the user can mend it. */
static const char *
state_of(const struct ioasid_member *m)
{
	const bool named = explicit_set_names(m->bdf);

	if (m->cdev[0] != '\0')
		return named ? "named, but it could not join" : "not named by -a";
	return named ? "named, but not bound to vfio-pci"
		     : "not named by -a, not bound to vfio-pci";
}

static void
print_missing(FILE *f, const struct ioasid_group *group, group_at_risk_fn at_risk)
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
print_bdfs(FILE *f, const struct ioasid_group *group, group_at_risk_fn at_risk, const char *before,
	   const char *between)
{
	const char *sep = "";

	for (unsigned int i = 0; i < group->nmembers; i++) {
		if (!at_risk(&group->members[i]))
			continue;
		fprintf(f, "%s%s%s", sep, before, group->members[i].bdf);
		sep = between;
	}
}

void
group_report_refusal(const struct ioasid_group *group, const char *bdf, group_at_risk_fn at_risk)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return;
	fprintf(f,
		"%s refused: its IOMMU group %u holds other devices, which could reach\n"
		"  this program's memory, and which have not joined:",
		bdf, group->number);
	print_missing(f, group, at_risk);
	fprintf(f, "\n Three ways out:"
		   "\n  1. name them too:   dpdk-devbind.py -b vfio-pci ");
	print_bdfs(f, group, at_risk, "", " ");
	fprintf(f, "\n                      and add to the command line: ");
	print_bdfs(f, group, at_risk, "-a ", " ");
	fprintf(f, "\n  2. move the card to a slot with an IOMMU group of its own"
		   "\n  3. accept the risk: --allow-insecure-vfio");
	fclose(f);
	IOASID_LOG(ERR, "%s", text);
	free(text);
}

static char *
at_risk_list(const struct ioasid_group *group, group_at_risk_fn at_risk)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	print_bdfs(f, group, at_risk, "", ", ");
	fclose(f);
	return text;
}

static struct warned *
find_warned(unsigned int group)
{
	struct warned *w;

	SLIST_FOREACH(w, &all_warned, entry)
		if (w->group == group)
			return w;
	return NULL;
}

/* Remember the list; false: it is the one that was printed last. Takes `list`. */
static bool
is_news(unsigned int number, char *list)
{
	struct warned *w = find_warned(number);

	if (w != NULL && strcmp(w->list, list) == 0) {
		free(list);
		return false;
	}
	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL) {
			free(list);
			return true;
		}
		w->group = number;
		SLIST_INSERT_HEAD(&all_warned, w, entry);
	}
	free(w->list);
	w->list = list;
	return true;
}

void
group_report_risk(const struct ioasid_group *group, const char *bdf, group_at_risk_fn at_risk)
{
	char *list = at_risk_list(group, at_risk);

	if (list == NULL || list[0] == '\0') {
		free(list);
		/* Who went and comes again is news. */
		group_report_forget(group->number);
		return;
	}
	if (!is_news(group->number, list))
		return;
	/* Not through IOASID_LOG's prefix first: the sentence starts as users know it. */
	if (options.allow_insecure)
		IOASID_LOG(
			WARNING,
			"these PCI BDFs are also at risk: [%s]\n"
			"  (they share IOMMU group %u with %s and can reach this program's memory;"
			"\n  --allow-insecure-vfio)",
			list, group->number, bdf);
	else
		IOASID_LOG(WARNING,
			   "these PCI BDFs are also at risk: [%s]\n"
			   "  (they came to IOMMU group %u, or left, while %s was in use, and can "
			   "reach "
			   "this\n  program's memory: bind them to vfio-pci and attach them too, "
			   "remove "
			   "them, or detach %s)",
			   list, group->number, bdf, bdf);
}

void
group_report_forget(unsigned int group)
{
	struct warned *w = find_warned(group);

	if (w == NULL)
		return;
	SLIST_REMOVE(&all_warned, w, warned, entry);
	free(w->list);
	free(w);
}

void
group_report_bridges(const struct ioasid_group *group)
{
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (group->members[i].bridge)
			IOASID_LOG(DEBUG, "%s in IOMMU group %u is a bridge: exempt",
				   group->members[i].bdf, group->number);
}
