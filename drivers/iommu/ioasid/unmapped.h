/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_UNMAPPED_H
#define IOASID_UNMAPPED_H

/*
 * Pages of EAL's that could not be mapped, so that devices cannot reach them. The mark is in
 * EAL's own list of pages: all processes see it, and it goes when the page is freed.
 */

#include <stdbool.h>
#include <stddef.h>

/* From a memory event: nobody has anything of these pages yet. */
void unmapped_mark(const void *addr, size_t length);

/* Whether there is such a page in a piece of memory. */
bool unmapped_has(const void *addr, size_t length);

#endif /* IOASID_UNMAPPED_H */
