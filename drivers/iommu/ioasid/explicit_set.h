/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_EXPLICIT_SET_H
#define IOASID_EXPLICIT_SET_H

/*
 * The devices that the user named: -a entries, and devices added at run time. With no
 * -a at start, also every device on a VFIO driver that no -b excludes: binding it was
 * the explicit act.
 */

#include <stdbool.h>

#include <ioasid.h>

/* Look whether there are -a entries, after EAL has parsed and before it probes. */
void explicit_set_init(void);

bool explicit_set_has(const struct ioasid_member *m);

/* The same for a PCI device that is known to be on a VFIO driver. */
bool explicit_set_has_vfio(const char *bdf);

/* Whether there were -a entries at start. */
bool explicit_set_is_list(void);

/* The PCI devices of -a entries, by their whole BDFs, whether or not they are there. */
void explicit_set_each(void (*fn)(const char *bdf, void *arg), void *arg);

/* Named by -a or added at run time, whatever its driver. */
bool explicit_set_names(const struct ioasid_member *m);

#endif /* IOASID_EXPLICIT_SET_H */
