/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REDIRECT_OBJECTS_H
#define REDIRECT_OBJECTS_H

/* The shared objects of test_redirect.c: caller → target. */

#define VISIBLE __attribute__((visibility("default")))

enum { STOCK = 1, OURS = 2 };

/* redirect_target.c */
VISIBLE int redirect_called(void); /* only called: through the PLT */
VISIBLE int redirect_target(void); /* its address is taken, too */
VISIBLE int redirect_other(void);

/* redirect_caller.c */
VISIBLE int call_directly(void);
VISIBLE int call_by_address(void);
VISIBLE int call_by_pointer(void);
VISIBLE int call_other(void);
VISIBLE const void *pointer_address(void);

#endif /* REDIRECT_OBJECTS_H */
