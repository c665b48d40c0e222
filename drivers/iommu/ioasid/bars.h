/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_BARS_H
#define IOASID_BARS_H

/*
 * To the kernel a device is open as long as its BARs are mapped, and EAL's PCI bus leaves them
 * mapped in rte_eal_cleanup() (seen with 22.11). Then it would be closed, and reset, when the
 * process ends: one after another, and not free for others before.
 *
 * Nobody may use a device any more, but a thread that does all the same is not to crash in its
 * program's last moments: memory of nobody's takes the place of the BARs.
 */

/*
 * Take all mappings of these device fds away. A failure (no /proc, no memory) leaves them to
 * the end of the process. No thread may map or unmap BARs meanwhile.
 */
void bars_unmap(const int *fds, unsigned int n);

#endif /* IOASID_BARS_H */
