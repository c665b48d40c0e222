/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GUARD_LOAD_H
#define GUARD_LOAD_H

#include "guard/conf.h"

/*
 * Put a guard of that configuration in force, in the place of one that is: proved before, and
 * pinned. Under pins_lock(), where needs_are_met(). false: it said why not, and what was in force
 * still is.
 */
bool guard_load(const struct guard_conf *conf);

#endif /* GUARD_LOAD_H */
