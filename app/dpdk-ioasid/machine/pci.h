/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MACHINE_PCI_H
#define MACHINE_PCI_H

/* What libpci knows: addresses, names and capabilities. */

#include "machine/model.h"

/* "1:0.0", "01:00.0", "0000:01:00.0" → "0000:01:00.0"; false: not a PCI address. */
bool pci_parse(const char *text, char bdf[IOASID_BDF_SIZE]);

/* The names, and what the configuration space says. */
void pci_read(struct device *device);

void pci_close(void);

#endif /* MACHINE_PCI_H */
