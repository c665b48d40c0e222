/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_TELEMETRY_H
#define IOASID_TELEMETRY_H

/*
 * What there is, for who asks on DPDK's telemetry socket (dpdk-telemetry.py): /ioasid/info,
 * /ioasid/devices, /ioasid/groups, /ioasid/ioasids, /ioasid/maps.
 */

/* Offer the commands, once a process. EAL opens the socket later, or not at all. */
void telemetry_start(void);

#endif /* IOASID_TELEMETRY_H */
