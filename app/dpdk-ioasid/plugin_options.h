/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_PLUGIN_OPTIONS_H
#define IOASID_PLUGIN_OPTIONS_H

/* The plugin's options, as those of a subcommand. */

#include <argp.h>

#define OPTIONS_ENV "DPDK_IOASID_OPTS"

/*
 * A child of a subcommand's argp. Its input is a char **: there they are, as OPTIONS_ENV
 * wants them, for free(); NULL: none were given.
 */
extern const struct argp_child plugin_options[];

#endif /* IOASID_PLUGIN_OPTIONS_H */
