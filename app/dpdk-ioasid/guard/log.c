/* SPDX-License-Identifier: BSD-3-Clause */

/* dpdk-ioasid guard log: what the guard has refused, and follow it. */

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "guard/guard.h"
#include "guard/pins.h"
#include "machine/files.h"

/* Between two looks, in µs: nothing else is told when the guard writes. */
#define PERIOD 250000

static const __u32 zero;

/* ---- one record */

static const char *
what_name(const struct guard_record *record)
{
	switch (record->what) {
	case GUARD_REFUSED:
		return "refused";
	case GUARD_REPORTED:
		return "would be refused";
	default:
		return "added";
	}
}

const char *
guard_call_name(__u32 call)
{
	switch (call) {
	case GUARD_ATTACH:
		return "VFIO_DEVICE_ATTACH_IOMMUFD_PT";
	case GUARD_SET_CONTAINER:
		return "VFIO_GROUP_SET_CONTAINER";
	case GUARD_SET_IOMMU:
		return "VFIO_SET_IOMMU";
	case GUARD_GET_DEVICE:
		return "VFIO_GROUP_GET_DEVICE_FD";
	default:
		return "";
	}
}

/* The guard counts from the machine's start, with its sleep. */
void
guard_time(__u64 boot, const char *format, char text[32])
{
	struct timespec wall, since;
	time_t seconds;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &since);
	seconds = wall.tv_sec - since.tv_sec + (time_t)(boot / 1000000000);
	localtime_r(&seconds, &tm);
	strftime(text, 32, format, &tm);
}

static __u32
named(const struct guard_record *record)
{
	return record->missing < GUARD_MEMBERS ? record->missing : GUARD_MEMBERS;
}

static void
print_members(const struct guard_record *record)
{
	for (__u32 i = 0; i < named(record); i++)
		printf("%s %s", i == 0 ? "" : ",", record->members[i]);
	if (record->missing > GUARD_MEMBERS)
		printf(" and %u more", record->missing - GUARD_MEMBERS);
}

static void
print_refusal(const struct guard_record *record)
{
	printf("%s %s%sIOMMU group %d to %s (process %u, user %u, cgroup %s):", what_name(record),
	       record->device, record->device[0] != '\0' ? " of " : "", record->group, record->comm,
	       record->pid, record->uid, record->cgroup[0] != '\0' ? record->cgroup : "/");
	print_members(record);
	if (record->unread)
		printf("%s the group could not be read to its end", record->missing > 0 ? ";" : "");
	printf(" (%s)\n", guard_call_name(record->call));
}

static void
print_text(const struct guard_record *record)
{
	char when[32];

	guard_time(record->time, GUARD_TIME, when);
	printf("%s ", when);
	if (record->what == GUARD_ADDED)
		printf("added %s to IOMMU group %d, which is in use: it can reach the user's "
		       "memory\n",
		       record->device, record->group);
	else
		print_refusal(record);
}

static void
print_json(const struct guard_record *record)
{
	json_t *members = json_array(), *line;
	char when[32];

	guard_time(record->time, GUARD_TIME_JSON, when);
	for (__u32 i = 0; i < named(record); i++)
		json_array_append_new(members, json_string(record->members[i]));
	line = json_pack("{s:I, s:s, s:s, s:i, s:s, s:o, s:i, s:b}", "number",
			 (json_int_t)record->number, "time", when, "what",
			 record->what == GUARD_REPORTED ? "reported" : what_name(record), "group",
			 (int)record->group, "device", record->device, "members", members,
			 "missing", (int)record->missing, "unread", (int)record->unread);
	if (record->what != GUARD_ADDED)
		json_object_update_new(
			line, json_pack("{s:i, s:s, s:i, s:s, s:s}", "pid", (int)record->pid,
					"comm", record->comm, "uid", (int)record->uid, "cgroup",
					record->cgroup, "call", guard_call_name(record->call)));
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

/* ---- all of them */

/* Names come from devices and processes: what a terminal could take for a command. */
static void
make_printable(struct guard_record *record)
{
	record->comm[sizeof(record->comm) - 1] = '\0';
	record->device[sizeof(record->device) - 1] = '\0';
	record->cgroup[sizeof(record->cgroup) - 1] = '\0';
	machine_printable(record->comm);
	machine_printable(record->device);
	machine_printable(record->cgroup);
	for (int i = 0; i < GUARD_MEMBERS; i++) {
		record->members[i][GUARD_NAME - 1] = '\0';
		machine_printable(record->members[i]);
	}
}

/* What is overwritten meanwhile has another number before or after. */
static bool
read_record(int map, __u64 number, struct guard_record *record)
{
	const __u32 place = (number - 1) % GUARD_RECORDS;
	__u64 again;
	struct guard_record other;

	if (bpf_map_lookup_elem(map, &place, record) < 0 || record->number != number ||
	    bpf_map_lookup_elem(map, &place, &other) < 0)
		return false;
	again = other.number;
	make_printable(record);
	return again == number;
}

/* From number `next` on; returns the one to go on with, 0: the guard has gone. */
static __u64
print_new(int counters, int records, __u64 next, bool json)
{
	struct guard_record record;
	struct guard_counters all;

	if (bpf_map_lookup_elem(counters, &zero, &all) < 0)
		return 0;
	if (all.records >= next + GUARD_RECORDS) {
		fprintf(stderr, "dpdk-ioasid guard: %" PRIu64 " records were overwritten\n",
			(uint64_t)(all.records - GUARD_RECORDS + 1 - next));
		next = all.records - GUARD_RECORDS + 1;
	}
	for (; next <= all.records; next++) {
		if (!read_record(records, next, &record))
			break; /* being written: at the next look */
		if (json)
			print_json(&record);
		else
			print_text(&record);
	}
	fflush(stdout);
	return next;
}

int
guard_log(bool json, bool follow)
{
	int counters = pins_open(PIN_COUNTERS), records = pins_open(PIN_RECORDS);
	__u64 next = 1;

	if (counters < 0 || records < 0) {
		fprintf(stderr, "dpdk-ioasid guard: its records cannot be read: %s\n",
			counters == -ENOENT ? "there is no guard" : strerror(-counters));
		return STATUS_NO;
	}
	do {
		next = print_new(counters, records, next, json);
	} while (next != 0 && follow && !ferror(stdout) && usleep(PERIOD) == 0);
	close(counters);
	close(records);
	return next != 0 ? STATUS_OK : STATUS_NO;
}
