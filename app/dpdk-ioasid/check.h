/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_CHECK_H
#define IOASID_CHECK_H

/*
 * What `check` finds is a JSON value, which is printed as it is or as text: so both say
 * the same. An answer that cannot be had is null.
 */

#include <jansson.h>
#include <stdbool.h>

#include "ioasid.h"

/* check_machine.c: the kernel, the IOMMUs, memory, DPDK */
json_t *check_machine(void);

/* check_device.c: a device with its group, as far as it can be read */
json_t *check_device(const char *bdf);
/* The member of that name, NULL: none. */
const struct ioasid_member *check_member(const struct ioasid_group_info *group, const char *bdf);

/* check_tree.c: the members of a group, down from the root; what counts in it: "state" */
json_t *check_tree(const struct ioasid_group_info *group, const char *bdf);

/* check_verdict.c: add "verdict", "reason", "notes" and "next" to a device */
void check_judge(const json_t *machine, json_t *device);

/* check_text.c */
void check_print_machine(const json_t *machine);
void check_print_device(const json_t *device);

/* Values of an object, "" and false for what is not there. */
static inline const char *
get_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static inline bool
get_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static inline bool
get_false(const json_t *object, const char *key)
{
	return json_is_false(json_object_get(object, key));
}

#endif /* IOASID_CHECK_H */
