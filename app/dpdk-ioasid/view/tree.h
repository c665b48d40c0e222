/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef VIEW_TREE_H
#define VIEW_TREE_H

#include "machine/model.h"

/* The members of a device's group, and the bridges that they are behind. */
struct tree {
	const struct machine *machine;
	const struct device *device;
};

typedef void (*tree_fn)(const struct tree *tree, const struct device *node, unsigned int depth,
			void *arg);

/* From the root down, in the order of addresses. */
void tree_walk(const struct machine *machine, const struct device *device, tree_fn fn, void *arg);

#endif /* VIEW_TREE_H */
