/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "judge/judge.h"
#include "machine/files.h"

const char *
verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_ISOLATED] = "isolated", [VERDICT_COMPLETE] = "complete",
		[VERDICT_SHARED] = "shared",     [VERDICT_UNKNOWN] = "unknown",
		[VERDICT_EXPOSED] = "exposed",   [VERDICT_CANNOT] = "cannot",
	};

	return names[verdict];
}

const char *
outcome_name(enum outcome outcome)
{
	static const char *const names[] = {
		[OUTCOME_GOOD] = "good",
		[OUTCOME_BAD] = "bad",
		[OUTCOME_UNKNOWN] = "unknown",
		[OUTCOME_NONE] = "none",
	};

	return names[outcome];
}

enum outcome
opinion_of(const struct opinion *opinion, const char *id)
{
	for (unsigned int i = 0; i < opinion->nfindings; i++)
		if (strcmp(opinion->findings[i].judgement->id, id) == 0)
			return opinion->findings[i].outcome;
	return OUTCOME_NONE;
}

static enum verdict
verdict_of(const struct finding *finding)
{
	if (finding->outcome == OUTCOME_BAD)
		return finding->judgement->bad;
	return finding->outcome == OUTCOME_UNKNOWN ? finding->judgement->unknown : VERDICT_ISOLATED;
}

/* What hugepages there are is nothing to say of a bridge. */
bool
finding_is_note(const struct opinion *opinion, const struct finding *finding)
{
	const bool usable = opinion->verdict != VERDICT_CANNOT &&
			    (opinion_of(opinion, "dpdk-driver") == OUTCOME_GOOD ||
			     ioasid_is_on_vfio(&opinion->device->member));

	if (finding->text == NULL || strcmp(finding->text, opinion->reason) == 0)
		return false;
	if (verdict_of(finding) == VERDICT_ISOLATED && !usable)
		return opinion->verdict != VERDICT_CANNOT &&
		       strcmp(finding->judgement->id, "dpdk-driver") == 0;
	return opinion->verdict != VERDICT_CANNOT || verdict_of(finding) == VERDICT_CANNOT;
}

/* Nothing speaks against it. */
static void
set_good(struct opinion *opinion)
{
	const struct group *group = opinion->device->group;

	opinion->reason = append(NULL, "alone in IOMMU group %u", group->number);
	for (unsigned int i = 0; i < group->nmembers; i++) {
		if (!is_other(opinion->device, group->members[i]))
			continue;
		if (opinion->verdict == VERDICT_ISOLATED) {
			free(opinion->reason);
			opinion->verdict = VERDICT_COMPLETE;
			opinion->reason =
				append(NULL, "all devices of IOMMU group %u are named: %s",
				       group->number, opinion->device->member.bdf);
		}
		opinion->reason = append(opinion->reason, ", %s", group->members[i]->member.bdf);
	}
}

/* The worst, and of several equally bad ones the first: the list has them in that order. */
static void
decide(struct opinion *opinion)
{
	const struct finding *worst = NULL;

	for (unsigned int i = 0; i < opinion->nfindings; i++) {
		const struct finding *finding = &opinion->findings[i];

		if (verdict_of(finding) <= opinion->verdict)
			continue;
		opinion->verdict = verdict_of(finding);
		worst = finding;
	}
	if (worst != NULL)
		opinion->reason = append(NULL, "%s", worst->text);
	else
		set_good(opinion);
}

struct opinion *
judge(const struct machine *machine, const struct device *device, const struct bdfs *set)
{
	const struct situation situation = { machine, device, set };
	struct opinion *opinion = list_grow(NULL, 0, sizeof(*opinion));

	opinion->device = device;
	for (unsigned int i = 0; i < njudgements; i++) {
		struct finding finding = { &judgements[i], OUTCOME_NONE, NULL };

		finding.outcome = judgements[i].judge(&situation, &finding);
		if (finding.outcome == OUTCOME_NONE)
			continue;
		opinion->findings = list_grow(opinion->findings, opinion->nfindings,
					      sizeof(*opinion->findings));
		opinion->findings[opinion->nfindings++] = finding;
	}
	decide(opinion);
	advise(&situation, opinion);
	return opinion;
}

void
opinion_free(struct opinion *opinion)
{
	if (opinion == NULL)
		return;
	for (unsigned int i = 0; i < opinion->nfindings; i++)
		free(opinion->findings[i].text);
	for (unsigned int i = 0; i < opinion->nnext; i++)
		free(opinion->next[i]);
	free(opinion->findings);
	free(opinion->next);
	free(opinion->reason);
	free(opinion);
}
