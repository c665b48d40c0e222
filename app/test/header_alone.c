/* SPDX-License-Identifier: BSD-3-Clause */

/* That the public header needs no other, in the language of this file. */
#include "ioasid.h"
