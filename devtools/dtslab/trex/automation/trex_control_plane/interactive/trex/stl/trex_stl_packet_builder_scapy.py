# SPDX-License-Identifier: BSD-3-Clause
"""What to send."""


class STLPktBuilder:
    """One scapy packet."""

    def __init__(self, pkt):
        self.pkt = pkt
