/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_REMOVAL_H
#define IOASID_REMOVAL_H

/*
 * A device can be taken away: pulled out, removed or unbound through sysfs. VFIO then
 * asks whoever has it open to let go, and waits, without end. For a device that DPDK
 * drives, its PCI bus listens; for one that only joined its group nobody would.
 */

struct removal_watch;

/*
 * Listen on a device's fd. `asked` is called by EAL's interrupt thread, perhaps more than
 * once, with the BDF; what it does must include letting go of the device. NULL if that is
 * not possible, said in the log: no harm as long as the device stays.
 */
struct removal_watch *removal_watch(int device_fd, const char *bdf, void (*asked)(const char *bdf));

/*
 * Listen no more; the fd is still open. Also within `asked`. `asked` may be running for
 * the last time when this returns. NULL: nothing.
 */
void removal_unwatch(struct removal_watch *watch);

#endif /* IOASID_REMOVAL_H */
