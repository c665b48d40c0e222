/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_NEXT_H
#define IOASID_NEXT_H

/*
 * The definition of a function that comes after the plugin's in the symbol scope, which
 * is librte_eal's. NULL: there is none.
 */
void *next_definition(const char *name);

#endif /* IOASID_NEXT_H */
