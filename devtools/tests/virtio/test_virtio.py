# SPDX-License-Identifier: BSD-3-Clause
"""An IOMMU whose driver finishes a page table only when a device is attached, and knows nothing of
what it can address before: virtio-iommu. devtools/test boots a machine with it for this directory."""

import os
import time

import pytest

import pci
from test_hotplug import remove, rescan
from testpmd import AT_RISK, COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")


def test_forwards(lab):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        for stats in testpmd.forward(10_000).values():
            assert stats["RX-packets"] >= 10_000
            assert stats["RX-errors"] == 0
        testpmd.quit()
    assert "mapped by 1 call(s)" in testpmd.output


def test_group_rule(lab):
    nic, disk = lab.GROUP_NIC, lab.GROUP_HD
    pci.bind(nic, "vfio-pci")
    for more, ports, warned in (([], [], False), (["--allow-insecure-vfio"], [nic], True)):
        with Testpmd(*allow(nic), *COMMON, *more, app=NOT_STARTED) as testpmd:
            testpmd.started()
            assert testpmd.ports() == ports
            assert (f"{AT_RISK}{disk}]" in testpmd.output) == warned
            testpmd.quit()
    pci.bind(disk, "vfio-pci")
    with Testpmd(*allow(nic, disk), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [nic]
        testpmd.quit()


def all_told(testpmd):
    """Where its output ends. That a device is at risk may have been told when it left its driver."""
    while testpmd.read(time.monotonic() + 1):
        pass
    return len(testpmd.output)


@pytest.mark.parametrize("seconds", [0, 12])
def test_comes_to_its_group_late(lab, seconds):
    """On Linux 6.12 when a driver asks for it, which none does by itself."""
    nic, late = lab.EDU_NIC, lab.EDU
    for bdf in (nic, late):
        pci.bind(bdf, "vfio-pci")
    with Testpmd(*allow(nic, late), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        remove(late)
        testpmd.wait_for(f"{late} is being removed or unbound: it leaves")
        at = all_told(testpmd)
        rescan()
        if not os.path.exists(pci.path(late, "iommu_group")):
            time.sleep(seconds)
            at = all_told(testpmd)
            pci.come_to_group(late)
        testpmd.wait_for(f"{AT_RISK}{late}]", at=at)
        testpmd.quit()
