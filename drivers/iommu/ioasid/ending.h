/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_ENDING_H
#define IOASID_ENDING_H

/* How all is given back, around EAL's own cleanup. */

/*
 * EAL is about to release its devices, one after the other, and to free its memory, even what
 * could never be freed: nothing waits for a device any more.
 */
void ending_begin(void);

/* EAL is through: all that is left goes, what takes long side by side. */
void ending_finish(void);

#endif /* IOASID_ENDING_H */
