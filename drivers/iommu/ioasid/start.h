/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_START_H
#define IOASID_START_H

/*
 * Start the plugin, whole, once a process, in order: each entry calls this first, whichever
 * EAL or the application comes to. (Not rte_eal_init(), under which EAL is not up yet; it
 * comes last where no other was called.) 0 or -errno, said in the log, and the same again to
 * whoever asks later. Before EAL is up as far as the channel between processes: 0, and
 * nothing is done.
 */
int start(void);

#endif /* IOASID_START_H */
