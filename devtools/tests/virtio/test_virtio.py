# SPDX-License-Identifier: BSD-3-Clause
"""An IOMMU whose driver finishes a page table only when a device is attached, and knows nothing of
what it can address before: virtio-iommu. devtools/test boots a machine with it for this directory."""

import os

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


@pytest.fixture
def no_driver_by_itself():
    """A device that comes finds none."""
    pci.write("/sys/bus/pci/drivers_autoprobe", "0")
    yield
    pci.write("/sys/bus/pci/drivers_autoprobe", "1")


def test_comes_to_its_group_late(lab, no_driver_by_itself):
    """On Linux 6.12 once a driver is about to take it, of which the kernel tells nothing."""
    nic, disk = lab.GROUP_NIC, lab.GROUP_HD
    for bdf in (nic, disk):
        pci.bind(bdf, "vfio-pci")
    with Testpmd(*allow(nic, disk), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        remove(disk)
        testpmd.wait_for(f"{disk} is being removed or unbound: it leaves")
        rescan()
        if not os.path.exists(pci.path(disk, "iommu_group")):
            assert AT_RISK not in testpmd.output
            pci.write("/sys/bus/pci/drivers_probe", disk)
            assert os.path.exists(pci.path(disk, "iommu_group"))
        testpmd.wait_for(f"{AT_RISK}{disk}]")
        testpmd.quit()
