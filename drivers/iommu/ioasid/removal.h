/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_REMOVAL_H
#define IOASID_REMOVAL_H

/*
 * A device can be taken away: pulled out, removed or unbound through sysfs. VFIO then
 * asks whoever has it open to let go, and waits, without end. For a device that DPDK
 * drives, its PCI bus listens; for one that only joined its group nobody would.
 */

struct ioasid_device;

/*
 * Listen for a device that its group holds, by EAL's interrupt thread; when it is wanted
 * back, it leaves. If that is not possible, it is said in the log: no harm as long as the
 * device stays.
 */
void removal_watch(struct ioasid_device *dev);

/* Listen no more; the device is still open. Of one that is not watched: nothing. */
void removal_unwatch(struct ioasid_device *dev);

/* EAL is about to end its interrupt thread: listen for none, and to no more. */
void removal_stop(void);

/* All is over: as at the beginning. */
void removal_end(void);

#endif /* IOASID_REMOVAL_H */
