# SPDX-License-Identifier: BSD-3-Clause
"""What sends and counts: a dpdk-testpmd that forwards from a file with one frame, again and again,
to each port, and from each port to nowhere."""

import os
import sys
import tempfile
import time

from scapy.utils import wrpcap

DEVTOOLS = os.path.realpath(__file__).split("/dtslab/")[0]
sys.path.append(os.path.join(DEVTOOLS, "tests"))
import pci  # noqa: E402 (its place is known only now)
from testpmd import Testpmd, allow  # noqa: E402


class Generator:
    """A port each, in order: its PCI address and the scapy packet for it. Sends once it is made."""

    def __init__(self, bdfs, packets):
        self.directory = tempfile.TemporaryDirectory()
        self.ports = range(len(bdfs))
        files = [os.path.join(self.directory.name, f"{port}.pcap") for port in self.ports]
        for path, packet in zip(files, packets):
            wrpcap(path, packet)
        for bdf in bdfs:  # as TRex does; DTS leaves that to it
            pci.bind(bdf, "vfio-pci")
        self.testpmd = Testpmd(
            "--iova-mode=pa", "--no-telemetry", *allow(*bdfs),
            *(f"--vdev=net_pcap{port},rx_pcap={path},infinite_rx=1"
              for port, path in enumerate(files)),
            preload=False).started()
        found = self.testpmd.ports()[:len(bdfs)]
        if found != bdfs:
            raise RuntimeError(f"{bdfs} were to be testpmd's first ports, which are {found}")
        # Virtual devices are the last ports. Each is paired with the NIC it feeds.
        pairs = (f"{port},{port + len(bdfs)}" for port in self.ports)
        self.testpmd.command(f"set portlist {','.join(pairs)}")
        self.testpmd.command("start")

    def counters(self):
        """{port: (when, {name: value})}"""
        return {port: (time.monotonic(), self.testpmd.stats(port)) for port in self.ports}

    def stop(self):
        with self.testpmd:
            self.testpmd.quit()
        self.directory.cleanup()
