/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GUARD_NEEDS_H
#define GUARD_NEEDS_H

#include <stdbool.h>

/* Whether this is root's; else it said so on stderr. */
bool needs_root(void);

/* What the guard needs of the kernel. The first that is missing is said on stderr, with what helps.
 */
bool needs_are_met(void);

/* Whether the kernel, or a module that is loaded, has a function of that name. */
bool kernel_has(const char *function);
/* Whether its types (BTF) have that function, so that a program can be attached to it. */
bool kernel_types_have(const char *function);

#endif /* GUARD_NEEDS_H */
