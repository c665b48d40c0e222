/* SPDX-License-Identifier: BSD-3-Clause */

/* What of the environment the application's own children get. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "children.h"
#include "options.h"

static void
check(const char *preload, const char *after)
{
	const char *found;

	assert_int_equal(setenv("LD_PRELOAD", preload, 1), 0);
	found = getenv("LD_PRELOAD");
	children_inherit_nothing();
	/* In place: who has asked before still has the variable. */
	assert_ptr_equal(getenv("LD_PRELOAD"), found);
	assert_string_equal(found, after);
}

static void
preload(void **state)
{
	(void)state;
	check("", "");
	check("librte_iommu_ioasid.so", "                      ");
	check("/lib/librte_iommu_ioasid.so:libasan.so.8",
	      "                           :libasan.so.8");
	check("a.so librte_iommu_ioasid.so b.so", "a.so                        b.so");
	check("a.so:librte_iommu_ioasid.so.0::", "a.so:                        ::");
	/* Others, that only look like it. */
	check("/librte_iommu_ioasid.so/x.so", "/librte_iommu_ioasid.so/x.so");
	check("my-librte_iommu_ioasid.so", "my-librte_iommu_ioasid.so");
	check("librte_iommu_ioasid.s", "librte_iommu_ioasid.s");
}

static void
words(void **state)
{
	(void)state;
	assert_int_equal(setenv(OPTIONS_ENV, "--ioasid-fd 7", 1), 0);
	children_inherit_nothing();
	assert_string_equal(getenv(OPTIONS_ENV), "             ");
	assert_int_equal(unsetenv(OPTIONS_ENV), 0);
	assert_int_equal(unsetenv("LD_PRELOAD"), 0);
	children_inherit_nothing();
	assert_null(getenv(OPTIONS_ENV));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preload),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
