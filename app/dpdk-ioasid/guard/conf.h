/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GUARD_CONF_H
#define GUARD_CONF_H

/*
 * What the administrator has laid down, in a file of lines: `mode enforce|report-only`,
 * `rule bound|joined|alone`, `allow device BDF|cgroup PATH|group N|uid N`, and comments from #
 * on. Nothing of it is guessed: a line that is not understood makes the file unreadable.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "guard/shared.h"

#define GUARD_CONF SYSCONFDIR "/dpdk-ioasid/guard.conf"

enum exception_kind {
	EXCEPT_DEVICE, /* may be in any group without satisfying the rule */
	EXCEPT_CGROUP, /* who is in it, or below, is not asked */
	EXCEPT_GROUP,
	EXCEPT_UID,
};

struct exception {
	enum exception_kind kind;
	char text[PATH_MAX]; /* in its one form: a whole address, a path without its last / */
	uint32_t number;     /* of a group or user */
};

struct guard_conf {
	enum guard_rule rule;
	bool report_only;
	unsigned int nexceptions;
	struct exception *exceptions;
};

/* The same words on the command line and in the file. */
extern const char *const guard_rules[]; /* by enum guard_rule, ends with NULL */
extern const char *const exception_kinds[];

/* All of these say on stderr what is wrong, and where. A file that is not there says nothing. */
bool conf_read(const char *path, struct guard_conf *conf);
bool
exception_parse(const char *kind, const char *text, const char *where, struct exception *exception);
/* The file as it is, but for this line: all of the new one is on the disk, or nothing. */
bool conf_add(const char *path, const struct exception *exception);
bool conf_remove(const char *path, const struct exception *exception);
void conf_free(struct guard_conf *conf);

int guard_rule_of(const char *name); /* or -1 */

#endif /* GUARD_CONF_H */
