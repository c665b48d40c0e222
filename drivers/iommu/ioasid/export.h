/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_EXPORT_H
#define IOASID_EXPORT_H

/* All else is hidden (-fvisibility=hidden); version.map names the same functions. */
#define EXPORT __attribute__((visibility("default")))

#endif /* IOASID_EXPORT_H */
