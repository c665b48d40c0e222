/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_BINDING_H
#define IOASID_BINDING_H

/* What `bind` and `unbind` share: arguments, refusal, and the view of the group. */

#include "command.h"

struct binding {
	struct bdfs bdfs;
	bool force;
};

/* The only option, and its --help. */
void binding_parse(struct binding *binding, int argc, char **argv, const char *doc);

/* Whether all devices are acceptable: each is looked at, so that all that is wrong is told. */
bool binding_all(const struct binding *binding, bool (*is_acceptable)(const char *bdf, bool force));

/* Print each IOMMU group of the devices once, with all members and their drivers. */
void binding_print_groups(const struct bdfs *bdfs);

#endif /* IOASID_BINDING_H */
