/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid guard: the group rule, kept by the kernel for every program. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "guard/conf.h"
#include "guard/guard.h"
#include "guard/load.h"
#include "guard/needs.h"
#include "guard/pins.h"

/* The options that have no letter. */
enum {
	OPTION_REPORT_ONLY = 256,
	OPTION_ENFORCE,
	OPTION_RULE,
	OPTION_CONFIG,
	OPTION_NO_FOLLOW,
};

struct guard_args {
	const char *config;
	const char *rule;
	int mode; /* OPTION_REPORT_ONLY, OPTION_ENFORCE, 0: as the file has it */
	bool json;
	bool no_follow;
	unsigned int nwords;
	const char *words[3]; /* the action and what it is about */
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "For start:", 1 },
	{ "report-only", OPTION_REPORT_ONLY, NULL, 0, "Refuse nothing, tell what would be", 1 },
	{ "enforce", OPTION_ENFORCE, NULL, 0, "Refuse, whatever the configuration says", 1 },
	{ "rule", OPTION_RULE, "RULE", 0, "bound, joined or alone, see below", 1 },
	{ "config", OPTION_CONFIG, "FILE", 0, "In place of " GUARD_CONF " (allow and deny, too)",
	  1 },
	{ NULL, 0, NULL, 0, "For status and log:", 2 },
	{ "json", 'j', NULL, 0, "Print JSON; the log's records one to a line", 2 },
	{ "no-follow", OPTION_NO_FOLLOW, NULL, 0, "End after what is recorded already (log)", 2 },
	{ 0 },
};

static const char doc[] =
	"Let the kernel refuse, to every program, a device whose IOMMU group holds others that "
	"could reach the program's memory. start puts the guard in force, or another in its place "
	"without a gap; it stays, without a process, until stop or the next boot. allow and deny "
	"change the exceptions, in the configuration and in force. status and log tell what it "
	"does."
	"\vWhat can be allowed: device BDF (it may be in any group as it is), cgroup PATH (who is "
	"in it or below), group N, uid N.\n\n"
	"The rules, for each endpoint of the group: bound: it has joined, or is on a VFIO driver; "
	"joined: it has joined (VFIO's groups of old: as alone); alone: there is no other.\n\n"
	"Exit status: 0 if it was done, and of status: if the guard is proved to be enforcing; 1 "
	"if not; 2 if the arguments are wrong.";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct guard_args *args = state->input;

	switch (key) {
	case OPTION_REPORT_ONLY:
	case OPTION_ENFORCE:
		args->mode = key;
		return 0;
	case OPTION_RULE:
		if (guard_rule_of(arg) < 0)
			argp_error(state, "\"%s\" is no rule: bound, joined or alone", arg);
		args->rule = arg;
		return 0;
	case OPTION_CONFIG:
		args->config = arg;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case OPTION_NO_FOLLOW:
		args->no_follow = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->nwords == sizeof(args->words) / sizeof(args->words[0]))
			return ARGP_ERR_UNKNOWN;
		args->words[args->nwords++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which action?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- start, allow, deny: the configuration, and what is in force */

/* What the command line and, before that, who started the guard wanted stays. */
static void
choose(struct guard_conf *conf, const struct guard_args *args, const struct guard_policy *running)
{
	if (running != NULL) {
		conf->report_only = running->report_only;
		conf->rule = (enum guard_rule)running->rule;
	}
	if (args->mode != 0)
		conf->report_only = args->mode == OPTION_REPORT_ONLY;
	if (args->rule != NULL)
		conf->rule = (enum guard_rule)guard_rule_of(args->rule);
}

static bool
load(const struct guard_args *args, const struct guard_policy *running)
{
	struct guard_conf conf;
	bool good = false;
	int lock;

	if (!needs_root() || !conf_read(args->config, &conf))
		return false;
	choose(&conf, args, running);
	lock = needs_are_met() ? pins_lock() : -1;
	if (lock >= 0) {
		good = guard_load(&conf);
		pins_unlock(lock);
	}
	conf_free(&conf);
	return good;
}

static int
start(const struct guard_args *args)
{
	struct guard_policy policy;

	if (!load(args, NULL) || pins_read(&policy) != PINS_THERE)
		return STATUS_NO;
	printf("guard: %s, rule %s\n", policy.report_only ? "report only" : "enforcing",
	       guard_rules[policy.rule]);
	return STATUS_OK;
}

/* In force, too, where there is a guard; else it waits for the next start. */
static int
put_in_force(const struct guard_args *args)
{
	struct guard_policy policy;

	switch (pins_read(&policy)) {
	case PINS_THERE:
		if (load(args, &policy))
			return STATUS_OK;
		fprintf(stderr, "dpdk-ioasid guard: %s is changed, the guard in force is not\n",
			args->config);
		return STATUS_NO;
	case PINS_NONE:
		printf("There is no guard now; the next `dpdk-ioasid guard start` reads it.\n");
		return STATUS_OK;
	default:
		fprintf(stderr,
			"dpdk-ioasid guard: %s is changed, the guard in force is not: see "
			"`dpdk-ioasid guard status`\n",
			args->config);
		return STATUS_NO;
	}
}

static int
change(const struct guard_args *args, bool (*how)(const char *, const struct exception *))
{
	struct exception e;

	if (!exception_parse(args->words[1], args->words[2], args->words[0], &e))
		return STATUS_USAGE;
	return how(args->config, &e) ? put_in_force(args) : STATUS_NO;
}

static int
allow(const struct guard_args *args)
{
	return change(args, conf_add);
}

static int
deny(const struct guard_args *args)
{
	return change(args, conf_remove);
}

static int
stop(const struct guard_args *args)
{
	struct guard_policy policy;
	bool good;
	int lock;

	(void)args;
	if (pins_read(&policy) == PINS_NONE) {
		puts("guard: none");
		return STATUS_OK;
	}
	lock = pins_lock();
	if (lock < 0)
		return STATUS_NO;
	good = pins_remove();
	pins_unlock(lock);
	if (good)
		puts("guard: stopped");
	return good ? STATUS_OK : STATUS_NO;
}

static int
status(const struct guard_args *args)
{
	return guard_status(args->json);
}

static int
show_log(const struct guard_args *args)
{
	return guard_log(args->json, !args->no_follow);
}

/* ---- which */

static const struct action {
	const char *name;
	unsigned int nwords; /* with its own */
	int (*call)(const struct guard_args *args);
} actions[] = {
	{ "start", 1, start }, { "stop", 1, stop }, { "status", 1, status },
	{ "allow", 3, allow }, { "deny", 3, deny }, { "log", 1, show_log },
};

static const struct action *
find(const struct guard_args *args)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, args->words[0]) == 0 &&
		    actions[i].nwords == args->nwords)
			return &actions[i];
	return NULL;
}

int
command_guard(int argc, char **argv)
{
	const char args_doc[] = "start|stop|status|log\nallow|deny device BDF|cgroup PATH|group "
				"N|uid N";
	const struct argp argp = { options, parse, args_doc, doc, NULL, NULL, NULL };
	struct guard_args args = { .config = GUARD_CONF };
	const struct action *action;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	action = find(&args);
	if (action == NULL) {
		argp_help(&argp, stderr, ARGP_HELP_SHORT_USAGE | ARGP_HELP_SEE, argv[0]);
		return STATUS_USAGE;
	}
	return action->call(&args);
}
