/* SPDX-License-Identifier: BSD-3-Clause */

#include "redirect_objects.h"

VISIBLE int
redirect_called(void)
{
	return STOCK;
}

VISIBLE int
redirect_target(void)
{
	return STOCK;
}

VISIBLE int
redirect_other(void)
{
	return STOCK;
}
