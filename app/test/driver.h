/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

/* The plugin's core on the fake kernel and the fake EAL, for its unit tests. */

#include "container.h"
#include "device.h"
#include "fake_eal.h"
#include "options.h"
#include "space.h"
#include "test.h"

#define THIRD "0000:04:03.0" /* not there at first; of THE_GROUP */

extern const struct fake_pci pci_third;

int driver_setup(void **state);
/* Fails the test if anything is left, in the kernel, of descriptors or of watches. */
int driver_teardown(void **state);

#define TEST_DRIVER(f) cmocka_unit_test_setup_teardown(f, driver_setup, driver_teardown)

/* --allow-insecure-vfio */
void allow_insecure(void);
/* EAL's rte_vfio_setup_device(), as far as it is the plugin's: 0 or -errno. */
int set_up(const char *bdf);
/* The kernel tells of a device. */
void event(const char *bdf);
void plug_third(void);
void unplug_third(void);
/* All ends, as by rte_eal_cleanup(), and begins anew. */
void restart(void);

/*
 * A thread of the test's that does fn(NULL), and that the kernel holds in the next call of this
 * kind: returns when it is held.
 */
void begin_held_thread(unsigned long request, void *(*fn)(void *));
/* The kernel goes on; returns when the thread has ended. */
void end_held_thread(void);

/* What has been logged since the last call of this. */
const char *said(void);
bool says(const char *text);

/* From the nth allocation on (from 1) one fails; 0: none. How many were made since. */
void fail_allocation(unsigned int nth);
unsigned int allocations(void);

#endif /* TEST_DRIVER_H */
