/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MACHINE_XDP_H
#define MACHINE_XDP_H

#include "machine/model.h"

/* Whether an XDP program has the packets of an interface of this machine. */
enum answer xdp_is_attached(unsigned int ifindex);

#endif /* MACHINE_XDP_H */
