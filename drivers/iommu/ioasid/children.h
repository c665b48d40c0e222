/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_CHILDREN_H
#define IOASID_CHILDREN_H

/*
 * What this process was given by its environment is not for the programs that it starts:
 * each would load DPDK, and descriptors by number are not theirs. In place, with blanks,
 * which mean nothing there: other threads may be reading the environment.
 */
void children_inherit_nothing(void);

#endif /* IOASID_CHILDREN_H */
