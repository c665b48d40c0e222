/* SPDX-License-Identifier: BSD-3-Clause */

/* A shared object with each kind of reference to a function of another one. */

#include "redirect_objects.h"

typedef int (*function)(void);

/* A pointer in data that is read-only after relocation. */
static const function pointer = redirect_target;

VISIBLE int
call_directly(void)
{
	return redirect_called();
}

VISIBLE int
call_by_address(void)
{
	volatile function f = redirect_target;

	return f();
}

VISIBLE int
call_by_pointer(void)
{
	const function *p = &pointer;

	__asm__ volatile("" : "+r"(p)); /* so that the compiler does not know what it points to */
	return (*p)();
}

VISIBLE int
call_other(void)
{
	return redirect_other();
}

VISIBLE const void *
pointer_address(void)
{
	return &pointer;
}
