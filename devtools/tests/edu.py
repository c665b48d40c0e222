# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's edu device: a DMA engine that can be aimed at any IOVA.

Registers: QEMU's docs/specs/edu.rst. The device's buffer cannot be seen through its BAR,
only moved by DMA.
"""

import mmap
import os
import struct
import time

import pci

SOURCE, TARGET, COUNT, COMMAND = 0x80, 0x88, 0x90, 0x98
START, TO_MEMORY = 1, 2
BUFFER = 0x40000


class Edu:
    """The device through its BAR in sysfs, as root may: no driver, no join needed."""

    def __init__(self, bdf):
        self.bdf = bdf
        fd = os.open(pci.path(bdf, "resource0"), os.O_RDWR)
        self.bar = mmap.mmap(fd, 1 << 20)
        os.close(fd)

    def __enter__(self):
        pci.set_bus_master(self.bdf, True)
        return self

    def __exit__(self, *_):
        pci.set_bus_master(self.bdf, False)
        self.bar.close()

    def read_memory(self, iova, length):
        """From memory into the device's buffer."""
        self.dma(iova, BUFFER, length, START)

    def write_memory(self, iova, length):
        """From the device's buffer into memory."""
        self.dma(BUFFER, iova, length, START | TO_MEMORY)

    def dma(self, source, target, length, command):
        for register, value in ((SOURCE, source), (TARGET, target), (COUNT, length),
                                (COMMAND, command)):
            self.bar[register:register + 8] = struct.pack("=Q", value)
        deadline = time.monotonic() + 10
        while struct.unpack_from("=Q", self.bar, COMMAND)[0] & START:
            assert time.monotonic() < deadline, "edu's DMA does not end"
            time.sleep(0.01)
