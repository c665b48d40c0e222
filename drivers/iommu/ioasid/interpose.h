/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_INTERPOSE_H
#define IOASID_INTERPOSE_H

/*
 * How our functions come to stand in the place of librte_eal's, and how those are
 * reached all the same. Two files: interpose.c in the shared library, static.c in the
 * static one.
 */

#include <stdbool.h>

/*
 * Redirect to us what has been loaded since we were. Nothing to do unless we came by
 * dlopen(), as with EAL's -d. 0 or -errno, said in the log.
 */
int interpose_loaded(void);

/* Tell in the log, for those who debug, which calls of librte_eal of itself come to us. */
void interpose_report(void);

/* Whether librte_eal's own calls of a function come to us. */
bool interpose_reached(const char *name);

/*
 * The definition that ours stands in the place of, or NULL if there is none: a function
 * of librte_eal. Sets no error: DPDK versions differ in what they have.
 */
void *next_definition(const char *name);

#endif /* IOASID_INTERPOSE_H */
