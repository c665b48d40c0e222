/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_STOCK_SECONDARY_H
#define IOASID_STOCK_SECONDARY_H

/* Secondary processes without the plugin: they get no devices, and a line in the log says so. */

#include <stdbool.h>

/*
 * The primary answers stock secondary processes in EAL's place: no field reads as success, and
 * a line in the log says what is wrong with them. Where EAL registers its own answer by a call
 * that comes to us (stock_secondary_keeps_action()) this is for the start; where it does so
 * directly, for the time when EAL is up, since EAL fails where its name is taken: `direct`.
 * Once a process.
 */
void stock_secondary_answer(bool direct);

/* Whether an action that is about to be registered is answered by us: then it is not to be. */
bool stock_secondary_keeps_action(const char *name);

/* The process behind a socket has asked us by our own protocol. By the thread that answers. */
void stock_secondary_is_not(const char *peer);

/* EAL is about to end. */
void stock_secondary_stop(void);

#endif /* IOASID_STOCK_SECONDARY_H */
