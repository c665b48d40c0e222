/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GUARD_PINS_H
#define GUARD_PINS_H

/*
 * The guard as it is in the kernel: what is pinned in a directory of the BPF file system. No
 * process is needed for it to be in force. A guard that takes the place of another stands
 * beside it first, so for a moment both judge.
 */

#include <stdbool.h>
#include <stdint.h>

#include "guard/shared.h"

enum pin {
	PIN_IOCTL, /* links: without them it judges nothing */
	PIN_IOCTL_COMPAT,
	PIN_ADDED,
	PIN_ATTACHED,
	PIN_POLICY, /* maps */
	PIN_PROOF,
	PIN_DEVICES,
	PIN_GROUPS,
	PIN_UIDS,
	PIN_CGROUPS,
	PIN_COUNTERS,
	PIN_RECORDS,
	PIN_COUNT,
};

struct pin_path {
	char s[128];
};

extern const char *const pin_names[PIN_COUNT];

enum pins_state {
	PINS_NONE, /* there is no guard */
	PINS_THERE,
	PINS_BROKEN,  /* some of it is missing: what is there may be in force */
	PINS_UNKNOWN, /* may not be looked at, or by another version */
};

/* Where a pin of the guard in force is, or of the one that is to take its place. */
struct pin_path pin_path(enum pin pin);
struct pin_path pin_path_new(enum pin pin);
#define PIN_DIRECTORY "/sys/fs/bpf/dpdk-ioasid"

/* What is there, with its policy if it is PINS_THERE. */
enum pins_state pins_read(struct guard_policy *policy);

/*
 * One command at a time changes the guard, or makes proofs: waits for others. -1: it said why
 * not. The directory is there as long as the lock is, or a guard.
 */
int pins_lock(void);
void pins_unlock(int lock);

/*
 * Under the lock: an empty directory for the new one's pins, which then takes the old one's
 * place, or is given up. false: it said why not.
 */
bool pins_prepare(void);
bool pins_replace(void);
void pins_discard(void);
/* All that is there; false: it said what could not be. */
bool pins_remove(void);

/* A map in force: its fd, or -errno. */
int pins_open(enum pin pin);

#endif /* GUARD_PINS_H */
