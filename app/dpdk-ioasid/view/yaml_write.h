/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_YAML_WRITE_H
#define IOASID_YAML_WRITE_H

#include <jansson.h>
#include <stdio.h>

/* Write a value as a YAML document: 0 or -EIO. */
int yaml_write(FILE *f, const json_t *value);

#endif /* IOASID_YAML_WRITE_H */
