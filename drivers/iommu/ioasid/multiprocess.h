/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_MULTIPROCESS_H
#define IOASID_MULTIPROCESS_H

#include <stdbool.h>

#include <rte_eal.h>

/*
 * Secondary processes. The primary owns /dev/ioasid, the devices and the maps; a
 * secondary asks it for a copy of a device's fd, over DPDK's channel between
 * processes, and needs nothing else: what is mapped for the primary is mapped.
 */

/*
 * EAL is up as far as the channel: the primary starts to answer, a secondary tells
 * the user if the primary does not use its devices. 0 or -errno, said in the log;
 * 0 also where DPDK has no such channel (--in-memory, --no-shconf).
 */
int multiprocess_start(void);

/* The primary answers no more; an answer under way is still given. */
void multiprocess_stop(void);

/*
 * In a secondary: whether stock EAL does the work in the primary, which decides for both. One
 * that does not answer, said in the log, has no device for us: false, and each set-up fails.
 */
bool multiprocess_primary_is_stock(void);

/*
 * In a secondary: get a copy of a device's fd from the primary. 0 or -errno, said in
 * the log. multiprocess_release_device() closes the copy; the device is not reset
 * by that and goes on working for the others.
 */
int multiprocess_setup_device(const char *bdf, int *fd);

/* 0, or -ENODEV: not an fd that multiprocess_setup_device() gave for this device. */
int multiprocess_release_device(const char *bdf, int fd);

/* Close all copies. */
void multiprocess_release_all(void);

#endif /* IOASID_MULTIPROCESS_H */
