/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_OPTIONS_H
#define IOASID_OPTIONS_H

/* What the user asked of the plugin, by EAL arguments or by DPDK_IOASID_OPTS. */

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_ENV "DPDK_IOASID_OPTS"

/* Who does the work. */
enum mode {
	MODE_AUTO,      /* native where the kernel has iommufd, else container */
	MODE_NATIVE,    /* device fds and /dev/ioasid */
	MODE_CONTAINER, /* stock EAL's VFIO groups and containers */
};

struct options {
	bool allow_insecure; /* --allow-insecure-vfio */
	const char *dev;     /* --ioasid-dev PATH; NULL: default */
	enum mode mode;      /* --ioasid-mode MODE */
	struct {
		uint64_t start;
		uint64_t length; /* 0: not given */
	} window;                /* --ioasid-iova-window START:LENGTH */
};

/* Read-only once options_env() and options_take() are through. */
extern struct options options;

/*
 * Read the environment variable, once a process: 0 or -EINVAL, said in the log.
 */
int options_env(void);

/*
 * Read our options among EAL's, that is before "--", and move them behind argv[0]:
 * argv[1 .. *taken] are ours afterwards, the rest keeps its order. Returns 0 or
 * -EINVAL, said in the log.
 */
int options_take(int argc, char **argv, int *taken);

/*
 * Call rte_eal_init() without our arguments, argv[1 .. taken], which it must not see.
 * Whoever called it relies on two things: the result tells how many arguments were
 * consumed, and argv[result] is the program's name, for the application's own option
 * parsing. Both hold for the result of this function, ours counted in.
 */
int options_call_without(int (*eal_init)(int, char **), int argc, char **argv, int taken);

/* Our options in the words of --help. */
void options_usage(void);

#endif /* IOASID_OPTIONS_H */
