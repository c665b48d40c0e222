/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_REDIRECT_H
#define IOASID_REDIRECT_H

/*
 * Makes calls between objects that are loaded already go elsewhere: what LD_PRELOAD
 * would have done, had it been there at the start. Knows ELF, not DPDK.
 */

#include <stddef.h>

struct redirect {
	const char *name; /* of a function */
	void (*to)(void); /* where references to it shall lead */
};

/*
 * Change the references to the named functions in every object of the process but
 * the one that this code is part of. The protection of the pages (RELRO) is as before
 * afterwards. Again with the same table: does only what is new.
 *
 * The number of references changed, or -errno: -ENOTSUP on processors whose
 * relocations it does not know, else from mprotect().
 */
int redirect_all(const struct redirect *table, size_t count);

/* The same in the one object that holds an address. */
int redirect_in(const void *within, const struct redirect *table, size_t count);

/*
 * How many references to a function the object has that holds an address: 0, it calls what
 * it has itself, or does not call it; -ENOTSUP as above.
 */
int redirect_count(const void *within, const char *name);

#endif /* IOASID_REDIRECT_H */
