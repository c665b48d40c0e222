/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_APPLICATION_H
#define IOASID_APPLICATION_H

/* A DPDK application that uses DPDK's shared libraries. */

#include <limits.h>
#include <stdbool.h>

#include "plugin.h"

struct application {
	char path[PATH_MAX];
	char abi[ABI_SIZE];         /* of its DPDK */
	char eal[PATH_MAX];         /* the librte_eal.so that is loaded with it */
	char interpreter[PATH_MAX]; /* its dynamic linker */
	bool sanitized;             /* by AddressSanitizer, whose library wants to be the first */
	char why[2 * PATH_MAX + 512];
};

/*
 * Find the application of a command line by PATH, and its DPDK; `library`, if not NULL, is a
 * library that it loads later, which has DPDK with it. Returns 0, or the exit status that says
 * why it is of no use here (STATUS_RUN and following), with `why` as a sentence.
 */
int application_find(char *const *argv, const char *library, struct application *app);

/* The plugin for it, likewise; the dynamic linker will load it. */
int application_plugin(struct application *app, struct plugin *plugin);

#endif /* IOASID_APPLICATION_H */
