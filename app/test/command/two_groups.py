# SPDX-License-Identifier: BSD-3-Clause
"""The machine of files of most tests: one NIC alone, one that shares its group with a disk."""

import pytest

from fake_root import TO_PCI, FakeRoot

NIC, BRIDGE, GROUP_NIC, GROUP_HD = "0000:01:00.0", "0000:00:02.0", "0000:02:01.0", "0000:02:02.0"
PORT = "0000:00:01.0"


@pytest.fixture
def root(tmp_path):
    """A NIC alone in its group below a root port, and a NIC and a disk controller in another."""
    fake = FakeRoot(tmp_path)
    fake.device(PORT, group=1, ids=(0x1b36, 0x000c), class_code=0x060400, bridge=True, acs=0x1d)
    fake.nic = fake.device(NIC, below=PORT, group=2)
    fake.device(BRIDGE, group=3, ids=(0x1b36, 0x000e), class_code=0x060400, bridge=True, kind=TO_PCI)
    fake.device(GROUP_NIC, below=BRIDGE, group=3, ids=(0x8086, 0x100e))
    fake.hd = fake.device(GROUP_HD, below=BRIDGE, group=3, ids=(0x1000, 0x0012),
                          class_code=0x010000)
    return fake
