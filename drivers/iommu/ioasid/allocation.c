/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Memory that devices cannot reach must not be handed out, but EAL's memory events cannot
 * fail, and what EAL does next is its own affair: where it calls its functions directly
 * there is nothing to answer in its place. So whoever hands out memory looks whether there
 * are pages in it that could not be mapped (unmapped.h); then gives it back, and fails. For
 * whom EAL got the pages does not matter: another thread gets no part of them, either.
 *
 * EAL's own allocations, where they do not come to us, are for no device.
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_memzone.h>

#include "export.h"
#include "interpose.h"
#include "log.h"
#include "unmapped.h"

/* EAL's definition, looked up once. NULL, said in the log: there is none. */
static void *
next(const char *name, void **found)
{
	void *function = __atomic_load_n(found, __ATOMIC_RELAXED);

	if (function != NULL)
		return function;
	function = next_definition(name);
	if (function == NULL) {
		IOASID_LOG(ERR, "%s: no definition but the plugin's", name);
		rte_errno = ENOTSUP;
	}
	__atomic_store_n(found, function, __ATOMIC_RELAXED);
	return function;
}

static void *
checked(void *p, size_t size)
{
	if (p == NULL || !unmapped_has(p, size))
		return p;
	rte_free(p);
	rte_errno = ENOMEM;
	return NULL;
}

static const struct rte_memzone *
checked_zone(const struct rte_memzone *zone)
{
	if (zone == NULL || !unmapped_has(zone->addr, zone->len))
		return zone;
	rte_memzone_free(zone);
	rte_errno = ENOMEM;
	return NULL;
}

typedef void *(*malloc_fn)(const char *, size_t, unsigned int);
typedef void *(*calloc_fn)(const char *, size_t, size_t, unsigned int);
typedef void *(*malloc_socket_fn)(const char *, size_t, unsigned int, int);
typedef void *(*calloc_socket_fn)(const char *, size_t, size_t, unsigned int, int);
typedef void *(*realloc_socket_fn)(void *, size_t, unsigned int, int);
typedef const struct rte_memzone *(*reserve_fn)(const char *, size_t, int, unsigned int);
typedef const struct rte_memzone *(*aligned_fn)(const char *, size_t, int, unsigned int,
						unsigned int);
typedef const struct rte_memzone *(*bounded_fn)(const char *, size_t, int, unsigned int,
						unsigned int, unsigned int);
typedef int (*heap_add_fn)(const char *, void *, size_t, rte_iova_t *, unsigned int, size_t);

EXPORT void *
rte_malloc(const char *type, size_t size, unsigned int align)
{
	static void *found;
	malloc_fn function = (malloc_fn)(uintptr_t)next("rte_malloc", &found);

	return function != NULL ? checked(function(type, size, align), size) : NULL;
}

EXPORT void *
rte_zmalloc(const char *type, size_t size, unsigned int align)
{
	static void *found;
	malloc_fn function = (malloc_fn)(uintptr_t)next("rte_zmalloc", &found);

	return function != NULL ? checked(function(type, size, align), size) : NULL;
}

EXPORT void *
rte_calloc(const char *type, size_t num, size_t size, unsigned int align)
{
	static void *found;
	calloc_fn function = (calloc_fn)(uintptr_t)next("rte_calloc", &found);

	return function != NULL ? checked(function(type, num, size, align), num * size) : NULL;
}

EXPORT void *
rte_malloc_socket(const char *type, size_t size, unsigned int align, int socket)
{
	static void *found;
	malloc_socket_fn function = (malloc_socket_fn)(uintptr_t)next("rte_malloc_socket", &found);

	return function != NULL ? checked(function(type, size, align, socket), size) : NULL;
}

EXPORT void *
rte_zmalloc_socket(const char *type, size_t size, unsigned int align, int socket)
{
	static void *found;
	malloc_socket_fn function = (malloc_socket_fn)(uintptr_t)next("rte_zmalloc_socket", &found);

	return function != NULL ? checked(function(type, size, align, socket), size) : NULL;
}

EXPORT void *
rte_calloc_socket(const char *type, size_t num, size_t size, unsigned int align, int socket)
{
	static void *found;
	calloc_socket_fn function = (calloc_socket_fn)(uintptr_t)next("rte_calloc_socket", &found);

	return function != NULL ? checked(function(type, num, size, align, socket), num * size)
				: NULL;
}

/*
 * Once EAL has moved it there is no way back: so it moves to a place that is looked at
 * first, even where it could have stayed.
 */
EXPORT void *
rte_realloc_socket(void *ptr, size_t size, unsigned int align, int socket)
{
	static void *found;
	realloc_socket_fn function =
		(realloc_socket_fn)(uintptr_t)next("rte_realloc_socket", &found);
	size_t old;
	void *p;

	if (ptr == NULL)
		return rte_malloc_socket(NULL, size, align, socket);
	/* EAL's affair: it frees it, tells of the corruption, or leaves it where it is. */
	if (size == 0 || rte_malloc_validate(ptr, &old) < 0 ||
	    (size <= old && socket == SOCKET_ID_ANY && (uintptr_t)ptr % RTE_MAX(align, 1u) == 0))
		return function != NULL ? function(ptr, size, align, socket) : NULL;
	p = rte_malloc_socket(NULL, size, align, socket);
	if (p == NULL)
		return NULL;
	memcpy(p, ptr, RTE_MIN(old, size));
	rte_free(ptr);
	return p;
}

EXPORT void *
rte_realloc(void *ptr, size_t size, unsigned int align)
{
	return rte_realloc_socket(ptr, size, align, SOCKET_ID_ANY);
}

EXPORT const struct rte_memzone *
rte_memzone_reserve(const char *name, size_t len, int socket, unsigned int flags)
{
	static void *found;
	reserve_fn function = (reserve_fn)(uintptr_t)next("rte_memzone_reserve", &found);

	return function != NULL ? checked_zone(function(name, len, socket, flags)) : NULL;
}

EXPORT const struct rte_memzone *
rte_memzone_reserve_aligned(const char *name, size_t len, int socket, unsigned int flags,
			    unsigned int align)
{
	static void *found;
	aligned_fn function = (aligned_fn)(uintptr_t)next("rte_memzone_reserve_aligned", &found);

	return function != NULL ? checked_zone(function(name, len, socket, flags, align)) : NULL;
}

EXPORT const struct rte_memzone *
rte_memzone_reserve_bounded(const char *name, size_t len, int socket, unsigned int flags,
			    unsigned int align, unsigned int bound)
{
	static void *found;
	bounded_fn function = (bounded_fn)(uintptr_t)next("rte_memzone_reserve_bounded", &found);

	return function != NULL ? checked_zone(function(name, len, socket, flags, align, bound))
				: NULL;
}

/* Memory that an application adds to a heap of its own: removed again. */
EXPORT int
rte_malloc_heap_memory_add(const char *heap_name, void *va_addr, size_t len,
			   rte_iova_t iova_addrs[], unsigned int n_pages, size_t page_sz)
{
	static void *found;
	heap_add_fn function = (heap_add_fn)(uintptr_t)next("rte_malloc_heap_memory_add", &found);
	int ret;

	if (function == NULL)
		return -1;
	ret = function(heap_name, va_addr, len, iova_addrs, n_pages, page_sz);
	if (ret < 0 || !unmapped_has(va_addr, len))
		return ret;
	rte_malloc_heap_memory_remove(heap_name, va_addr, len);
	rte_errno = ENOMEM;
	return -1;
}
