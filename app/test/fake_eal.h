/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FAKE_EAL_H
#define FAKE_EAL_H

/*
 * In the place of librte_eal, for unit tests of the plugin: as much of it as the plugin
 * calls when it sets devices up. Its functions stand before those of the library, which is
 * not initialised.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begin: nobody is named, 8 pages of memory that are never freed and 8 that may be. */
void fake_eal_start(void);

/* -a BDF, and as if it had never been. */
void fake_eal_name(const char *bdf);
void fake_eal_unname(const char *bdf);
bool fake_eal_names(const char *bdf);

/* EAL's interrupt thread looks once: calls whoever has something to read. */
void fake_eal_interrupts(void);
/* How many callbacks are registered. */
unsigned int fake_eal_watched(void);

#define FAKE_EAL_BASE  UINT64_C(0x100000000)
#define FAKE_EAL_PAGE  UINT64_C(0x200000)
#define FAKE_EAL_PAGES 16

/* A page more, or less, as rte_malloc() does it: with the memory lock held for writing. */
void fake_eal_alloc(unsigned int page);
void fake_eal_free(unsigned int page);
/* Where the memory is from now on, and how large its pages are. */
void fake_eal_set_base(uint64_t base);
void fake_eal_set_page_size(uint64_t size);
/* Whether the plugin has marked it as out of reach of devices. */
bool fake_eal_is_unmapped(unsigned int page);
/* Whether EAL's memory lock is free, so that others can allocate. */
bool fake_eal_memory_is_free(void);

#endif /* FAKE_EAL_H */
