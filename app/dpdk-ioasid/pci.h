/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_PCI_H
#define IOASID_PCI_H

/* What libpci knows: names and capabilities. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ioasid.h"

/* "1:0.0", "01:00.0", "0000:01:00.0" → "0000:01:00.0"; false: not a PCI address. */
bool pci_parse(const char *text, char bdf[IOASID_BDF_SIZE]);

/* What sysfs says of one device, as of a member of a group. */
void pci_read(const char *bdf, struct ioasid_member *m);

/* "Intel Corporation 82576 Gigabit Network Connection" */
json_t *pci_name(const struct ioasid_member *m);
/* "Ethernet controller" */
json_t *pci_class_name(const struct ioasid_member *m);

/* Of a class that makes the machine run: disks, displays, bridges, consoles, USB. */
bool pci_is_system(const struct ioasid_member *m);

/*
 * Access Control Services of a bridge, what of them is switched on: an object of
 * booleans; false if it has none; null if it cannot be told (only root may read that
 * part of the configuration space).
 */
json_t *pci_acs(const char *bdf);

/* The devices' names in sysfs, in order: their number, or -errno; free() each and all. */
int pci_list(char ***bdfs);

void pci_close(void);

#endif /* IOASID_PCI_H */
