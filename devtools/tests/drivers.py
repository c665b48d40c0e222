# SPDX-License-Identifier: BSD-3-Clause
"""EAL loads every driver of its directory, and that is half of each start: offer it few."""

import glob
import os
import re
import shutil
import subprocess
import tempfile

from plugin import library

# What the tests use of the distribution's drivers, besides those that testpmd is linked to.
DRIVERS = {"bus_pci", "bus_vdev", "mempool_ring", "net_e1000", "net_null", "net_pcap", "net_ring"}


class Drivers:
    """Those above, `more`, and what dpdk-testpmd needs, in place of all."""

    def __init__(self, more=()):
        [self.directory] = glob.glob(f"{os.path.dirname(library('librte_ethdev'))}/dpdk/pmds-*")
        self.few = tempfile.mkdtemp()
        os.chmod(self.few, 0o755)  # some tests are another user's
        for name in DRIVERS.union(more, linked(shutil.which("dpdk-testpmd"))):
            for path in glob.glob(f"{self.directory}/librte_{name}.so.*"):
                shutil.copy(path, self.few, follow_symlinks=False)

    def offer_few(self):
        subprocess.run(["mount", "--bind", self.few, self.directory], check=True)

    def offer_all(self):
        subprocess.run(["umount", self.directory], check=True)


def linked(program):
    """DPDK's libraries that a program needs: "eal", "net_bond" …"""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"librte_(\w+)\.so", text))
