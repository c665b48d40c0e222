/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid guard status: what is in force, by what it is asked, and what it is about. */

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "guard/conf.h"
#include "guard/guard.h"
#include "guard/pins.h"
#include "guard/proof.h"
#include "judge/judge.h"
#include "machine/files.h"

static const __u32 zero;

/* All that is told, as text or as JSON. */
struct status {
	enum pins_state state;
	struct guard_policy policy;
	struct guard_counters counters;
	enum proof_result proof;
	bool attached_known;
	unsigned int nattached;
	struct guard_attached *attached;
	struct machine *machine;
};

/* ---- reading */

static bool
read_counters(struct guard_counters *counters)
{
	int fd = pins_open(PIN_COUNTERS), err;

	if (fd < 0)
		return false;
	err = bpf_map_lookup_elem(fd, &zero, counters);
	close(fd);
	return err == 0;
}

static enum proof_result
read_proof(void)
{
	const int lock = pins_lock(), fd = lock >= 0 ? pins_open(PIN_PROOF) : -1;
	enum proof_result result = PROOF_FAILED;

	if (fd >= 0) {
		result = proof_make(fd);
		close(fd);
	}
	if (lock >= 0)
		pins_unlock(lock);
	return result;
}

static bool
is_told(const struct status *status, const struct guard_attached *one)
{
	for (unsigned int i = 0; i < status->nattached; i++)
		if (memcmp(&status->attached[i], one, sizeof(*one)) == 0)
			return true;
	return false;
}

/* What has the file twice, or several of its threads, is told once. */
static void
read_attached(struct status *status)
{
	const struct pin_path path = pin_path(PIN_ATTACHED);
	struct guard_attached one;
	FILE *f = fopen(path.s, "re");

	if (f == NULL)
		return;
	while (fread(&one, sizeof(one), 1, f) == 1) {
		one.comm[sizeof(one.comm) - 1] = '\0';
		one.device[sizeof(one.device) - 1] = '\0';
		machine_printable(one.comm);
		machine_printable(one.device);
		if (is_told(status, &one))
			continue;
		status->attached = list_grow(status->attached, status->nattached, sizeof(one));
		status->attached[status->nattached++] = one;
	}
	status->attached_known = !ferror(f);
	fclose(f);
}

static bool
none_wanted(const struct device *device, const void *arg)
{
	(void)device;
	(void)arg;
	return false;
}

static void
read_status(struct status *status)
{
	status->state = pins_read(&status->policy);
	if (status->state != PINS_THERE)
		return;
	if (!read_counters(&status->counters))
		status->state = PINS_UNKNOWN;
	status->proof = read_proof();
	read_attached(status);
	status->machine = machine_read(none_wanted, NULL);
}

/* ---- the groups that it is about: several endpoints, of which some are not as it demands */

typedef void (*group_fn)(const struct group *group, const char *missing, void *arg);

static const struct device *
first_endpoint(const struct group *group)
{
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (!ioasid_is_exempt(&group->members[i]->member))
			return group->members[i];
	return NULL;
}

static bool
has_platform_device(const struct group *group)
{
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (is_platform(group->members[i]))
			return true;
	return false;
}

/* A device on VFIO first: it is the one that somebody is about to attach. */
static const struct device *
likely_user(const struct group *group)
{
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (ioasid_is_on_vfio(&group->members[i]->member))
			return group->members[i];
	return first_endpoint(group);
}

static void
each_group(const struct machine *machine, group_fn fn, void *arg)
{
	const struct bdfs nothing = { 0 };

	for (unsigned int i = 0; i < machine->ngroups; i++) {
		const struct group *group = machine->groups[i];
		const struct device *device = likely_user(group);
		char *missing = NULL;

		/* No program has what the machine runs by, guard or none. */
		if (device != NULL && !has_platform_device(group))
			missing = guard_missing(machine, device, &nothing);
		if (missing != NULL)
			fn(group, missing, arg);
		free(missing);
	}
}

/* ---- text */

static void
print_group(const struct group *group, const char *missing, void *arg)
{
	bool *any = arg;

	printf("  %-16s IOMMU group %u:", *any ? "" : "against the rule", group->number);
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (!ioasid_is_exempt(&group->members[i]->member))
			printf(" %s", group->members[i]->member.bdf);
	printf("; missing: %s\n", missing);
	*any = true;
}

static void
print_attached(const struct status *status)
{
	for (unsigned int i = 0; i < status->nattached; i++) {
		const struct guard_attached *one = &status->attached[i];

		printf("  %-16s process %u (%s): %s%sIOMMU group %d", i == 0 ? "attached" : "",
		       one->pid, one->comm, one->device, one->device[0] != '\0' ? " of " : "",
		       one->group);
		if (one->unread)
			printf(", which could not be read to its end\n");
		else
			printf(", with %u other device%s that could reach its memory\n",
			       one->missing, one->missing == 1 ? "" : "s");
	}
	if (!status->attached_known)
		printf("  %-16s cannot be told\n", "attached");
}

static const char *
hook_name(__u32 hook)
{
	return hook == GUARD_HOOK_LSM ? "security module (lsm)" : "fmod_ret";
}

static void
print_policy(const struct status *status)
{
	const struct guard_policy *policy = &status->policy;
	const struct guard_counters *n = &status->counters;
	char since[32];

	guard_time(policy->started, GUARD_TIME, since);
	printf("guard: %s, rule %s\n", policy->report_only ? "report only" : "enforcing",
	       policy->rule <= GUARD_ALONE ? guard_rules[policy->rule] : "unknown");
	printf("  %-16s %s\n", "since", since);
	printf("  %-16s %s; tried now: %s\n", "asked as", hook_name(policy->hook),
	       proof_text(status->proof));
	printf("  %-16s %" PRIu64 " refused, %" PRIu64 " reported, %" PRIu64
	       " let through by exceptions\n",
	       "calls", (uint64_t)n->refused, (uint64_t)n->reported, (uint64_t)n->excepted);
	printf("  %-16s %" PRIu64 " came into groups in use\n", "devices", (uint64_t)n->added);
}

static void
print_exceptions(const struct guard *guard)
{
	for (unsigned int i = 0; i < guard->ndevices; i++)
		printf("  %-16s device %s\n", i == 0 ? "allowed" : "", guard->devices[i]);
	for (unsigned int i = 0; i < guard->ngroups; i++)
		printf("  %-16s group %u\n", guard->ndevices + i == 0 ? "allowed" : "",
		       guard->groups[i]);
	if (guard->ncallers > 0)
		printf("  %-16s users and cgroups, as " GUARD_CONF " has them\n",
		       guard->ndevices + guard->ngroups == 0 ? "allowed" : "");
}

static void
print_status(const struct status *status)
{
	bool any = false;

	switch (status->state) {
	case PINS_NONE:
		puts("guard: none: the kernel lets every device be attached "
		     "(dpdk-ioasid guard start)");
		return;
	case PINS_BROKEN:
		puts("guard: not whole: a start was interrupted, or some of " PIN_DIRECTORY
		     " was removed\n  to have it whole: dpdk-ioasid guard start");
		return;
	case PINS_UNKNOWN:
		printf("guard: unknown: %s\n",
		       geteuid() != 0 ? "only root can see it (sudo)"
				      : "what is in " PIN_DIRECTORY
					" is another version's: dpdk-ioasid guard start");
		return;
	case PINS_THERE:
		break;
	}
	print_policy(status);
	print_exceptions(&status->machine->guard);
	each_group(status->machine, print_group, &any);
	print_attached(status);
}

/* ---- JSON */

static void
add_group_json(const struct group *group, const char *missing, void *arg)
{
	json_array_append_new(
		arg, json_pack("{s:i, s:s}", "group", (int)group->number, "missing", missing));
}

static json_t *
of_attached(const struct status *status)
{
	json_t *list = json_array();

	if (!status->attached_known) {
		json_decref(list);
		return json_null();
	}
	for (unsigned int i = 0; i < status->nattached; i++) {
		const struct guard_attached *one = &status->attached[i];

		json_array_append_new(list,
				      json_pack("{s:i, s:s, s:s, s:i, s:i, s:b}", "pid",
						(int)one->pid, "comm", one->comm, "device",
						one->device, "group", (int)one->group, "missing",
						(int)one->missing, "unread", (int)one->unread));
	}
	return list;
}

static json_t *
of_status(const struct status *status)
{
	static const char *const states[] = { "none", "there", "broken", "unknown" };
	const struct guard_counters *n = &status->counters;
	json_t *groups, *all = json_pack("{s:s}", "guard", states[status->state]);
	char since[32];

	if (status->state != PINS_THERE)
		return all;
	guard_time(status->policy.started, GUARD_TIME_JSON, since);
	groups = json_array();
	each_group(status->machine, add_group_json, groups);
	json_object_update_new(
		all, json_pack("{s:b, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:o, s:o}",
			       "enforcing", !status->policy.report_only, "rule",
			       status->policy.rule <= GUARD_ALONE ? guard_rules[status->policy.rule]
								  : "unknown",
			       "since", since, "hook",
			       status->policy.hook == GUARD_HOOK_LSM ? "lsm" : "fmod_ret", "proved",
			       status->proof == PROOF_GOOD, "refused", (json_int_t)n->refused,
			       "reported", (json_int_t)n->reported, "excepted",
			       (json_int_t)n->excepted, "added", (json_int_t)n->added,
			       "refused_now", groups, "attached", of_attached(status)));
	return all;
}

static void
print_status_json(const struct status *status)
{
	json_t *all = of_status(status);

	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

int
guard_status(bool json)
{
	struct status status = { .proof = PROOF_FAILED };
	bool good;

	read_status(&status);
	if (json)
		print_status_json(&status);
	else
		print_status(&status);
	good = status.state == PINS_THERE && status.proof == PROOF_GOOD &&
	       !status.policy.report_only;
	free(status.attached);
	machine_free(status.machine);
	return good ? STATUS_OK : STATUS_NO;
}
