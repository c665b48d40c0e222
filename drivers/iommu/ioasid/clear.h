/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_CLEAR_H
#define IOASID_CLEAR_H

/*
 * Remove the maps of all IOASIDs, side by side, before their last devices leave: with these
 * the kernel would do it by one processor. No device may do DMA any more. What is left, since
 * there is one processor or no memory, goes that way.
 */
void clear_maps(void);

#endif /* IOASID_CLEAR_H */
