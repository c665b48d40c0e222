# SPDX-License-Identifier: BSD-3-Clause
"""A packet, again and again."""


class STLTXCont:
    """Continuously."""

    def __init__(self, percentage):
        if percentage != 100:
            raise ValueError("the stand-in sends as fast as it can: percentage=100")


class STLStream:
    """With TRex's arguments."""

    def __init__(self, name, packet, mode):
        self.name, self.packet, self.mode = name, packet.pkt, mode
