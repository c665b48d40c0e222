/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_EVENTS_H
#define IOASID_EVENTS_H

/*
 * What the kernel tells of devices that come, go, or change their driver: a device that
 * comes into a group in use shares its page table at once, without a question. By a socket
 * of our own in EAL's interrupt thread, whether or not the application has started EAL's
 * monitor; and unlike that it does not give up when events were lost.
 */

/* Begin with the first device, once: if that fails, it is said in the log. */
void events_follow(void);

/* EAL is about to end its interrupt thread. */
void events_stop(void);

#endif /* IOASID_EVENTS_H */
