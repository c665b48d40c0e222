/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The commands to type next. Root will paste them: each is right for the whole machine, or it is
 * not there.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "judge/judge.h"
#include "machine/files.h"

#define CLASS_NETWORK 0x02
#define WANTED_MEMORY (1ull << 30)
#define OTHER_MEMORY  65536 /* KiB that programs lock beside hugepages */

struct advice {
	const struct machine *machine;
	const struct device *device;
	struct opinion *opinion;
	const char *sudo;
};

/* Takes the command, which is malloc()ed. */
static void
add(const struct advice *a, char *command)
{
	struct opinion *o = a->opinion;

	o->next = list_grow(o->next, o->nnext, sizeof(*o->next));
	o->next[o->nnext++] = command;
}

/* Whether all that the commands are about is free to be taken. */
static bool
is_free(const struct advice *a)
{
	const struct group *group = a->device->group;

	for (unsigned int i = 0; i < group->nmembers; i++)
		if (!ioasid_is_exempt(&group->members[i]->member) && group->members[i]->nuses > 0)
			return false;
	return true;
}

static void
advise_modules(const struct advice *a)
{
	const struct iommufd *iommufd = &a->machine->iommufd;

	if (opinion_of(a->opinion, "vfio-driver") == OUTCOME_BAD)
		add(a, append(NULL, "%smodprobe vfio-pci", a->sudo));
	if (iommufd->node.there == NO && iommufd->in_kernel == NO && iommufd->loadable == YES)
		add(a, append(NULL, "%smodprobe iommufd", a->sudo));
}

static void
advise_bind(const struct advice *a)
{
	const struct group *group = a->device->group;
	char *line = NULL;

	if (!ioasid_is_on_vfio(&a->device->member))
		line = append(line, " %s", a->device->member.bdf);
	for (unsigned int i = 0; i < group->nmembers; i++) {
		const struct device *m = group->members[i];

		if (is_other(a->device, m) && !ioasid_is_on_vfio(&m->member))
			line = append(line, " %s", m->member.bdf);
	}
	if (line != NULL)
		add(a, append(NULL, "%sdpdk-ioasid bind%s", a->sudo, line));
	free(line);
}

/* Whether it may open them then. */
static bool
advise_access(const struct advice *a)
{
	const struct node *nodes[] = { &a->machine->iommufd.node, &a->device->cdev };
	char *line = NULL;

	if (opinion_of(a->opinion, "node-access") == OUTCOME_GOOD)
		return true;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (nodes[i]->there != YES || nodes[i]->may_open == YES)
			continue;
		if (a->machine->user.root || nodes[i]->denial != DENIED_MODE) {
			free(line);
			return false;
		}
		line = append(line, " %s", nodes[i]->path);
	}
	add(a, append(NULL, "sudo chown %s%s", a->machine->user.name, line));
	free(line);
	return true;
}

/* The smallest pages that the device's node has, or else the first node. */
static const struct hugepages *
find_pages(const struct memory *memory, const struct number *numa)
{
	const struct hugepages *found = NULL;

	for (unsigned int i = 0; i < memory->npages; i++) {
		const struct hugepages *p = &memory->pages[i];

		if (numa->is == YES && p->node >= 0 && (uint64_t)p->node != numa->n)
			continue;
		if (found == NULL || (p->node == found->node && p->size < found->size))
			found = p;
	}
	return found;
}

/* Only where there are none: others' are not for us to take. */
static void
advise_hugepages(const struct advice *a)
{
	const struct hugepages *pages = find_pages(&a->machine->memory, &a->device->numa);
	const bool needed = opinion_of(a->opinion, "hugepages") == OUTCOME_BAD ||
			    opinion_of(a->opinion, "hugepages-node") == OUTCOME_BAD;
	uint64_t n;
	char *file;

	if (!needed || pages == NULL || pages->total > 0 || pages->size == 0)
		return;
	n = pages->size < WANTED_MEMORY ? WANTED_MEMORY / pages->size : 1;
	file = pages->node < 0 ? append(NULL, "/sys/kernel/mm")
			       : append(NULL, "/sys/devices/system/node/node%d", pages->node);
	file = append(file, "/hugepages/hugepages-%" PRIu64 "kB/nr_hugepages", pages->size >> 10);
	if (a->machine->user.root)
		add(a, append(NULL, "echo %" PRIu64 " >%s", n, file));
	else
		add(a, append(NULL, "echo %" PRIu64 " | sudo tee %s", n, file));
	free(file);
}

static void
advise_limit(const struct advice *a)
{
	const struct memory *memory = &a->machine->memory;
	const uint64_t wanted = (memory->bytes >> 10) + OTHER_MEMORY;

	if (opinion_of(a->opinion, "locked-memory") == OUTCOME_BAD &&
	    memory->hard_limit >> 10 >= wanted)
		add(a, append(NULL, "ulimit -l %" PRIu64, wanted));
}

static void
advise_start(const struct advice *a)
{
	const struct group *group = a->device->group;
	/* The directory of hugepages is root's. */
	const bool in_memory =
		!a->machine->user.root || opinion_of(a->opinion, "hugepages-mount") != OUTCOME_GOOD;
	char *line;

	/* testpmd is for ports. */
	if (a->device->member.class_code >> 16 != CLASS_NETWORK ||
	    opinion_of(a->opinion, "dpdk-driver") != OUTCOME_GOOD ||
	    opinion_of(a->opinion, "programs") != OUTCOME_GOOD)
		return;
	if (!a->machine->user.root && !ioasid_is_on_vfio(&a->device->member)) {
		/* There is no node yet that this user could be given. */
		add(a, append(NULL, "dpdk-ioasid check %s", a->device->member.bdf));
		return;
	}
	line = append(NULL, "dpdk-ioasid run -- dpdk-testpmd -a %s", a->device->member.bdf);
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (is_other(a->device, group->members[i]))
			line = append(line, " -a %s", group->members[i]->member.bdf);
	add(a, append(line, " --iova-mode=va%s -- -i", in_memory ? " --in-memory" : ""));
}

/* The kernel's driver keeps it, or gets it back. */
static void
advise_bifurcated(const struct advice *a)
{
	if (a->device->nuses > 0 && ioasid_is_on_vfio(&a->device->member))
		return;
	if (ioasid_is_on_vfio(&a->device->member))
		add(a, append(NULL, "%sdpdk-ioasid unbind %s", a->sudo, a->device->member.bdf));
	else if (a->device->member.driver[0] != '\0' && a->machine->programs.ndpdks > 0)
		add(a, append(NULL, "%sdpdk-testpmd -a %s -- -i", a->sudo, a->device->member.bdf));
}

void
advise(const struct situation *situation, struct opinion *opinion)
{
	const bool root = situation->machine->user.root;
	const struct advice a = { situation->machine, situation->device, opinion,
				  root ? "" : "sudo " };

	if (opinion_of(opinion, "bifurcated") == OUTCOME_BAD &&
	    opinion_of(opinion, "device-kind") == OUTCOME_GOOD) {
		advise_bifurcated(&a);
		return;
	}
	if (opinion->verdict == VERDICT_UNKNOWN && !root)
		add(&a, append(NULL, "sudo dpdk-ioasid check %s", situation->device->member.bdf));
	/* Not for DPDK, and the system may need it: nothing to type. */
	if (opinion->verdict > VERDICT_SHARED ||
	    (opinion_of(opinion, "dpdk-driver") != OUTCOME_GOOD &&
	     !ioasid_is_on_vfio(&situation->device->member)))
		return;
	if (!is_free(&a))
		return;
	advise_modules(&a);
	advise_bind(&a);
	if (!advise_access(&a))
		return;
	advise_hugepages(&a);
	advise_limit(&a);
	advise_start(&a);
}
