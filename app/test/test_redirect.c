/* SPDX-License-Identifier: BSD-3-Clause */

/* Redirection of references between loaded objects: redirect.h. */

#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "redirect.h"
#include "redirect_objects.h"

/* Each test has its own copy of the caller: redirected it stays redirected. */
struct caller {
	void *handle;
	int (*call_directly)(void);
	int (*call_by_address)(void);
	int (*call_by_pointer)(void);
	int (*call_other)(void);
	const void *(*pointer_address)(void);
};

static int
ours(void)
{
	return OURS;
}

static const struct redirect table[] = {
	{ "a_name_that_nobody_has", (void (*)(void))ours },
	{ "redirect_called", (void (*)(void))ours },
	{ "redirect_target", (void (*)(void))ours },
};

static void *
find(void *handle, const char *name)
{
	void *sym = dlsym(handle, name);

	assert_non_null(sym);
	return sym;
}

static void
load(const char *path, struct caller *c)
{
	c->handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (c->handle == NULL)
		fail_msg("%s", dlerror());
	*(void **)&c->call_directly = find(c->handle, "call_directly");
	*(void **)&c->call_by_address = find(c->handle, "call_by_address");
	*(void **)&c->call_by_pointer = find(c->handle, "call_by_pointer");
	*(void **)&c->call_other = find(c->handle, "call_other");
	*(void **)&c->pointer_address = find(c->handle, "pointer_address");
}

/* "r--p" and the like: the protection of the page that holds an address. */
static void
protection(uintptr_t at, char *out)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	assert_non_null(maps);
	strcpy(out, "none");
	while (fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%lx-%lx %4s", &start, &end, out) == 3 && at >= start && at < end)
			break;
	fclose(maps);
}

static void
check_all_kinds(const char *path)
{
	struct caller c;
	char before[8], after[8];
	int changed;

	load(path, &c);
	protection((uintptr_t)c.pointer_address(), before);
	assert_string_equal(before, "r--p");
	assert_int_equal(c.call_by_pointer(), STOCK);

	changed = redirect_all(table, 3);
	assert_true(changed >= 3);
	assert_int_equal(c.call_directly(), OURS);
	assert_int_equal(c.call_by_address(), OURS);
	assert_int_equal(c.call_by_pointer(), OURS);
	assert_int_equal(c.call_other(), STOCK);
	protection((uintptr_t)c.pointer_address(), after);
	assert_string_equal(after, before);

	/* All is done. */
	assert_int_equal(redirect_all(table, 3), 0);
	dlclose(c.handle);
}

static void
bound_now(void **state)
{
	(void)state;
	check_all_kinds(CALLER_NOW);
}

/* The slot of a call that has not been made leads into the object itself. */
static void
bound_lazily(void **state)
{
	(void)state;
	check_all_kinds(CALLER_LAZY);
}

/* In one object, and how many there are. */
static void
one_object(void **state)
{
	struct caller c, other;

	(void)state;
	load(CALLER_NOW, &c);
	load(CALLER_LAZY, &other);
	assert_true(redirect_count(c.pointer_address(), "redirect_target") > 0);
	assert_true(redirect_count(other.pointer_address(), "redirect_called") > 0);
	assert_int_equal(redirect_count(c.pointer_address(), "a_name_that_nobody_has"), 0);
	/* What an object defines and does not call by name. */
	assert_int_equal(redirect_count(c.pointer_address(), "call_directly"), 0);
	assert_int_equal(c.call_directly(), STOCK);
	assert_true(redirect_in(c.pointer_address(), table, 3) > 0);
	assert_int_equal(c.call_directly(), OURS);
	assert_int_equal(other.call_directly(), STOCK);
	dlclose(c.handle);
	dlclose(other.handle);
}

/* This program refers to it, too: whoever redirects keeps what it calls itself. */
static void
not_our_own(void **state)
{
	(void)state;
	redirect_all(table, 3);
	assert_int_equal(redirect_target(), STOCK);
}

static void
nothing_named(void **state)
{
	struct caller c;

	(void)state;
	load(CALLER_NOW, &c);
	assert_int_equal(redirect_all(table, 0), 0);
	assert_int_equal(redirect_all(table, 1), 0);
	assert_int_equal(c.call_directly(), STOCK);
	dlclose(c.handle);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_named), cmocka_unit_test(bound_now),
		cmocka_unit_test(bound_lazily),  cmocka_unit_test(one_object),
		cmocka_unit_test(not_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
