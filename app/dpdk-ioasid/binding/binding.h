/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BINDING_H
#define BINDING_H

/* What `bind` and `unbind` share: arguments, all or nothing, and the view of the groups. */

#include "command.h"
#include "judge/judge.h"

struct binding {
	struct bdfs bdfs;
	bool force;
	bool dry;
	struct machine *machine; /* as it was before */
};

/* The options, their --help, and the machine. */
void binding_start(struct binding *binding, int argc, char **argv, const char *doc);
void binding_end(struct binding *binding);

/*
 * Whether one device may be changed, with what speaks against it said on stderr; `skip`: it is
 * already where it is to go.
 */
typedef bool (*acceptable_fn)(const struct binding *binding, const struct device *device,
			      bool *skip);

/*
 * Give all devices to `driver`, NULL: the kernel's own; or none of them, and then all are where
 * they were. Each is looked at before the first is touched.
 */
bool binding_change(const struct binding *binding, acceptable_fn acceptable, const char *driver);

/* Print each IOMMU group of the devices once, as it is now, and what is to be typed next. */
void binding_print(const struct binding *binding, bool next);

#endif /* BINDING_H */
