/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SURVIVOR_H
#define IOASID_SURVIVOR_H

/*
 * In a primary that starts: say which secondary processes of an earlier one are still
 * there. With them EAL cannot set up its memory, and of that says only that some file
 * "couldn't be locked".
 */
void survivor_report(void);

#endif /* IOASID_SURVIVOR_H */
