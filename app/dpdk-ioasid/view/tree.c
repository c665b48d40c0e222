/* SPDX-License-Identifier: BSD-3-Clause */

#include "view/tree.h"

/* A member itself, or on the way up from one. */
static bool
is_in(const struct tree *tree, const struct device *node)
{
	const struct group *group = tree->device->group;

	for (unsigned int i = 0; i < group->nmembers; i++)
		for (const struct device *d = group->members[i]; d != NULL; d = d->parent)
			if (d == node)
				return true;
	return false;
}

static void
walk(const struct tree *tree, const struct device *above, unsigned int depth, tree_fn fn, void *arg)
{
	const struct machine *machine = tree->machine;

	for (unsigned int i = 0; i < machine->ndevices; i++) {
		const struct device *node = &machine->devices[i];

		if (node->parent != above || !is_in(tree, node))
			continue;
		fn(tree, node, depth, arg);
		walk(tree, node, depth + 1, fn, arg);
	}
}

void
tree_walk(const struct machine *machine, const struct device *device, tree_fn fn, void *arg)
{
	const struct tree tree = { machine, device };
	const struct group *group = device->group;

	walk(&tree, NULL, 0, fn, arg);
	/* What is not on PCI hangs nowhere in PCI's tree. */
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (machine_device(machine, group->members[i]->member.bdf) == NULL)
			fn(&tree, group->members[i], 0, arg);
}
