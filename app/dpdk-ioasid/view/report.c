/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>

#include "view/view.h"

void
report_free(struct report *report)
{
	for (unsigned int i = 0; i < report->count; i++)
		opinion_free(report->opinions[i]);
	free(report->opinions);
	machine_free(report->machine);
}
