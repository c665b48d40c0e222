/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the groups attached to an IOASID reserve. The kernel knows the reserved regions of
 * attached devices only; those of the other members of their groups are just as unusable.
 * Most groups reserve the same, so each range is kept once.
 */

#include <errno.h>
#include <stdlib.h>

#include "internal.h"
#include "sysfs.h"

static int
reserved_cmp(const struct reserved *a, const struct reserved *b)
{
	const struct ioasid_range *x = &a->r.range, *y = &b->r.range;

	if (x->start != y->start)
		return x->start > y->start ? 1 : -1;
	return (x->last > y->last) - (x->last < y->last);
}

RB_PROTOTYPE(reserved_tree, reserved, entry, reserved_cmp)
RB_GENERATE(reserved_tree, reserved, entry, reserved_cmp)

static int
add(struct space *space, const struct ioasid_reserved *r, unsigned int group)
{
	struct reserved key = { .r = *r };
	struct reserved *node = RB_FIND(reserved_tree, &space->reserved, &key);

	if (node != NULL) {
		node->users++;
		return 0;
	}
	node = malloc(sizeof(*node));
	if (node == NULL)
		return -ENOMEM;
	*node = (struct reserved){ .r = *r, .group = group, .users = 1 };
	RB_INSERT(reserved_tree, &space->reserved, node);
	return 0;
}

static void
remove_one(struct space *space, const struct ioasid_reserved *r)
{
	struct reserved key = { .r = *r };
	struct reserved *node = RB_FIND(reserved_tree, &space->reserved, &key);

	if (node == NULL || --node->users > 0)
		return;
	RB_REMOVE(reserved_tree, &space->reserved, node);
	free(node);
}

static void
remove_first(struct space *space, const struct ioasid_group_info *info, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (sysfs_reserves(&info->reserved[i]))
			remove_one(space, &info->reserved[i]);
}

int
reserved_add(struct space *space, const struct ioasid_group_info *info)
{
	for (unsigned int i = 0; i < info->nreserved; i++) {
		if (!sysfs_reserves(&info->reserved[i]) ||
		    add(space, &info->reserved[i], info->number) == 0)
			continue;
		remove_first(space, info, i);
		return -ENOMEM;
	}
	return 0;
}

void
reserved_remove(struct space *space, const struct ioasid_group_info *info)
{
	remove_first(space, info, info->nreserved);
}

void
reserved_forget_all(struct space *space)
{
	struct reserved *r;

	while ((r = RB_ROOT(&space->reserved)) != NULL) {
		RB_REMOVE(reserved_tree, &space->reserved, r);
		free(r);
	}
}

/* They may overlap, and there are few of them. */
const struct reserved *
reserved_find(struct space *space, uint64_t iova, uint64_t last)
{
	struct reserved *r;

	RB_FOREACH(r, reserved_tree, &space->reserved)
	{
		if (r->r.range.start > last)
			break;
		if (r->r.range.last >= iova)
			return r;
	}
	return NULL;
}

const struct reserved *
reserved_next(struct space *space, const struct reserved *r)
{
	if (r == NULL)
		return RB_MIN(reserved_tree, &space->reserved);
	return reserved_tree_RB_NEXT((struct reserved *)(uintptr_t)r);
}
