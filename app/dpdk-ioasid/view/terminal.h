/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_TERMINAL_H
#define IOASID_TERMINAL_H

enum colour { PLAIN, BOLD, GREEN, YELLOW, RED };

/* The sequence that switches a colour on, PLAIN: off; "" unless stdout is a terminal. */
const char *terminal(enum colour colour);

#endif /* IOASID_TERMINAL_H */
