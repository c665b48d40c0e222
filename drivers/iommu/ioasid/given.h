/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_GIVEN_H
#define IOASID_GIVEN_H

/*
 * Descriptors that somebody with more rights has opened and this process has inherited:
 * --ioasid-fd N and --vfio-device-fd BDF=N. They are ours from then on: each is closed when
 * what it opened is released, and those that nobody used by rte_eal_cleanup().
 *
 * Options are read by one thread; the rest is called under the lock of the devices, or
 * when there is nobody else any more.
 */

/* Enter what an option says: 0 or -EINVAL, said in the log. */
int given_set_ioasid(const char *value);
int given_add_device(const char *value);

/* The open /dev/ioasid, -1: none was given. */
int given_ioasid(void);

/* The fd of a device, -1: none was given, or it has been used. */
int given_device(const char *bdf);

/* Joined: it belongs to the device now, whose release closes it. */
void given_used(const char *bdf);

/* The same of /dev/ioasid. */
void given_ioasid_used(void);

/* Stock EAL does the work: tell that they are of no use, if there are any. */
void given_report_stock(void);

/* Tell which devices' descriptors nobody has used so far, each once. */
void given_report_unused(void);

/* Close those that nobody has used. */
void given_close_all(void);

#endif /* IOASID_GIVEN_H */
