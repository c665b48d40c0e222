/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef VIEW_H
#define VIEW_H

/* What `check` found, as text and as JSON: two views of the same. */

#include "judge/judge.h"

struct report {
	struct machine *machine;
	unsigned int count;
	struct opinion **opinions;
};

/* What is in it, with the machine. */
void report_free(struct report *report);

void view_text(const struct report *report);
/* doc/guides/check.schema.json describes it. */
void view_json(const struct report *report);

#endif /* VIEW_H */
