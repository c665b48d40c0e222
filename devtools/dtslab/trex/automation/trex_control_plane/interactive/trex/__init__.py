# SPDX-License-Identifier: BSD-3-Clause
"""Stand-in for TRex's Python interface: as much of it as DTS uses, by stock dpdk-testpmd. It sends
one frame on each port as fast as it can and counts what comes back.

For the lab, whose NICs are emulated and which has no TRex; of no use for real hardware.
"""
