/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef JUDGE_H
#define JUDGE_H

/*
 * What the machine means for a device: a list of judgements, each one small function over the
 * model with an id that `--json` and the guide (doc/guides/check.rst) use. The verdict is the
 * worst of what they say. Nothing here reads a file or prints.
 */

#include "command.h"
#include "machine/model.h"

/* From good to bad. */
enum verdict {
	VERDICT_ISOLATED, /* alone in its group */
	VERDICT_COMPLETE, /* all of its group were asked about together */
	VERDICT_SHARED,   /* others of its group must be named, too */
	VERDICT_UNKNOWN,  /* what must be known cannot be read */
	VERDICT_EXPOSED,  /* others can reach it past the IOMMU, whatever the groups say */
	VERDICT_CANNOT,   /* no program can or should have it */
};

enum outcome {
	OUTCOME_GOOD,
	OUTCOME_BAD,
	OUTCOME_UNKNOWN,
	OUTCOME_NONE, /* not about this device */
};

/* A device, and what was asked about together with it. */
struct situation {
	const struct machine *machine;
	const struct device *device;
	const struct bdfs *set;
};

struct finding {
	const struct judgement *judgement;
	enum outcome outcome;
	char *text; /* NULL: good, or nothing to say */
};

struct judgement {
	const char *id;
	enum verdict bad;     /* what it makes of the device; ISOLATED: nothing, it is told */
	enum verdict unknown; /* the same where it could not be told */
	bool forcible;        /* `bind --force` goes past it */
	enum outcome (*judge)(const struct situation *situation, struct finding *finding);
};

struct opinion {
	const struct device *device;
	enum verdict verdict;
	char *reason;
	unsigned int nfindings;
	struct finding *findings;
	unsigned int nnext;
	char **next; /* commands to type */
};

extern const struct judgement judgements[];
extern const unsigned int njudgements;

struct opinion *
judge(const struct machine *machine, const struct device *device, const struct bdfs *set);
void opinion_free(struct opinion *opinion);

const char *verdict_name(enum verdict verdict);
const char *outcome_name(enum outcome outcome);
/* The outcome that the judgement of that id has, NONE if it is not there. */
enum outcome opinion_of(const struct opinion *opinion, const char *id);

/* Whether a finding is worth a line beside the verdict's reason. */
bool finding_is_note(const struct opinion *opinion, const struct finding *finding);

/* judge/advice.c: the commands, where they are right */
void advise(const struct situation *situation, struct opinion *opinion);

/* judge/member.c: who matters in a group */

/* A member that shares the page table and must join: not the device, not exempt. */
bool is_other(const struct device *device, const struct device *member);
/* Whether it makes the machine run, so that no command may take it. */
bool is_platform(const struct device *device);
/* Whether sysfs says what it is: else nothing is known of it. */
bool is_known(const struct device *device);
/* The word for what a member is to the device: "at risk unless named: …". */
const char *member_state(const struct device *device, const struct device *member);

/* judge/guard.c */

/* Those of a device's group for which the guard refuses it, "BDF, BDF": for free(), NULL: none. */
char *
guard_missing(const struct machine *machine, const struct device *device, const struct bdfs *set);

/* judge/words.c */

/* Set the text of a finding, and return the outcome. */
enum outcome say(struct finding *finding, enum outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A longer text in place of `text`, which may be NULL. */
char *
append(char *text, const char *fmt, ...) __attribute__((warn_unused_result, format(printf, 2, 3)));
/* Who can read what this user cannot: "root can", but it is root already in a container. */
const char *who_can(const struct user *user);
/* "disk sdx is mounted at /home", for free(). */
char *use_text(const struct use *use);
/* The uses of a device that make it another's, first to last: for free(), NULL: none. */
char *uses_text(const struct device *device, enum answer is);

#endif /* JUDGE_H */
