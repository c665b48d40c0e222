/* SPDX-License-Identifier: BSD-3-Clause */

/* Judgements on memory, and on the programs that are there. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "judge/list.h"

static uint64_t
count(const struct memory *memory, int node, bool free)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < memory->npages; i++)
		if (node < 0 || memory->pages[i].node == node)
			n += free ? memory->pages[i].free : memory->pages[i].total;
	return n;
}

/* Documentation/admin-guide/mm/hugetlbpage.rst: nr_hugepages, free_hugepages */
enum outcome
judge_hugepages(const struct situation *s, struct finding *f)
{
	const struct memory *memory = &s->machine->memory;
	uint64_t held = 0, left = 0;

	if (count(memory, -1, false) == 0)
		return say(f, OUTCOME_BAD, "there are no hugepages");
	if (count(memory, -1, true) > 0)
		return OUTCOME_GOOD;
	for (unsigned int i = 0; i < memory->nmounts; i++) {
		held += memory->mounts[i].bytes;
		left += memory->mounts[i].unlocked;
	}
	if (held == 0)
		return say(f, OUTCOME_BAD, "no hugepage is free: programs hold them");
	return say(f, OUTCOME_BAD,
		   "no hugepage is free: files in %s hold %" PRIu64 " MiB of them, %" PRIu64
		   " MiB of these no DPDK program that runs (what has ended, or a virtual machine)",
		   memory->mounts[0].path, held >> 20, left >> 20);
}

enum outcome
judge_hugepages_node(const struct situation *s, struct finding *f)
{
	const struct memory *memory = &s->machine->memory;
	const struct number *numa = &s->device->numa;

	if (numa->is != YES || count(memory, -1, false) == 0 ||
	    (memory->npages > 0 && memory->pages[0].node < 0))
		return OUTCOME_NONE;
	if (count(memory, (int)numa->n, false) == 0)
		return say(f, OUTCOME_BAD, "its NUMA node %" PRIu64 " has no hugepages", numa->n);
	if (count(memory, (int)numa->n, true) == 0 && count(memory, -1, true) > 0)
		return say(f, OUTCOME_BAD, "on its NUMA node %" PRIu64 " no hugepage is free",
			   numa->n);
	return OUTCOME_GOOD;
}

/* EAL takes pages from a mount of hugetlbfs of their size, or, with --in-memory, without. */
enum outcome
judge_hugepages_mount(const struct situation *s, struct finding *f)
{
	const struct memory *memory = &s->machine->memory;

	if (count(memory, -1, false) == 0)
		return OUTCOME_NONE;
	if (memory->mounts_known != YES)
		return say(f, OUTCOME_UNKNOWN, "whether hugetlbfs is mounted cannot be read");
	for (unsigned int i = 0; i < memory->npages; i++)
		for (unsigned int j = 0; j < memory->nmounts; j++)
			if (memory->pages[i].total > 0 &&
			    (memory->mounts[j].size == 0 ||
			     memory->mounts[j].size == memory->pages[i].size))
				return OUTCOME_GOOD;
	return say(f, OUTCOME_BAD,
		   "hugetlbfs is not mounted for the hugepages that are there: only with "
		   "--in-memory can programs use them");
}

/* RLIMIT_MEMLOCK, getrlimit(2): iommufd and VFIO count pinned pages against it. */
enum outcome
judge_locked_memory(const struct situation *s, struct finding *f)
{
	const struct memory *memory = &s->machine->memory;

	if (memory->unlimited || s->machine->user.may_lock == YES || memory->limit >= memory->bytes)
		return OUTCOME_GOOD;
	return say(f, OUTCOME_BAD,
		   "this user may lock less memory than the hugepages are, and programs lock what "
		   "they map: raise it (memlock in /etc/security/limits.conf, LimitMEMLOCK=)");
}

enum outcome
judge_programs(const struct situation *s, struct finding *f)
{
	const struct programs *programs = &s->machine->programs;

	if (programs->ndpdks == 0)
		return say(f, OUTCOME_BAD, "no DPDK with shared libraries is installed");
	if (programs->plugin != YES)
		return say(f, OUTCOME_BAD,
			   "the plugin is not installed: meson install, or DPDK_IOASID_PLUGIN");
	for (unsigned int i = 0; i < programs->ndpdks; i++)
		if (strcmp(programs->dpdks[i].abi, programs->plugin_abi) == 0)
			return OUTCOME_GOOD;
	return say(f, OUTCOME_BAD, "the plugin is for DPDK's ABI %s, which is not installed",
		   programs->plugin_abi);
}
