# SPDX-License-Identifier: BSD-3-Clause
"""Drivers as modules, as distributions have them: loaded by whoever wants them, or not yet."""

import os
import subprocess

import pytest

import pci
from testpmd import COMMON, NOT_STARTED, Testpmd, allow

pytestmark = [pytest.mark.usefixtures("no_faults", "no_leftovers"), pytest.mark.packaged_kernel]

# By stock EAL, by us.
REFUSED = ("VFIO group is not viable", "is held by the kernel driver sym53c8xx")
STOCK = "EAL: Using IOMMU type 1 (Type 1)"


@pytest.fixture
def unloaded(lab):
    """As just after boot: nobody has asked for VFIO."""
    for bdf in (lab.NIC0, lab.NIC1):
        pci.unbind(bdf)
    subprocess.run(["modprobe", "-r", "vfio-pci", "vfio_iommu_type1"], check=True)
    assert not os.path.exists("/dev/vfio/vfio")
    yield
    subprocess.run(["modprobe", "-a", "vfio-pci", "vfio_iommu_type1"], check=True)


def test_not_loaded(lab, unloaded):
    with Testpmd(*allow(lab.NIC0), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        testpmd.quit()


def test_loaded_late(lab, unloaded):
    """vfio-pci is all that a user asks for; the kernel gets the rest, iommufd if it has it."""
    for bdf in (lab.NIC0, lab.NIC1):
        pci.bind(bdf, "vfio-pci")
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON) as testpmd:
        testpmd.started()
        assert (STOCK in testpmd.output) == (not os.path.exists("/dev/iommu"))
        testpmd.forward(10_000)
        testpmd.quit()


@pytest.fixture
def held_disk(lab):
    """On its own driver, which is a module, too."""
    pci.bind(lab.GROUP_HD, "sym53c8xx")
    yield lab.GROUP_HD
    # This driver leaves the controller running when it is unbound: faults, but not ours.
    pci.unbind(lab.GROUP_HD)
    pci.set_bus_master(lab.GROUP_HD, False)
    subprocess.run(["dmesg", "--clear"], check=True)


def test_disk_held_by_its_driver(lab, held_disk):
    """Refused by the kernel, whatever the flag accepts."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, "--allow-insecure-vfio",
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert REFUSED[os.path.exists("/dev/iommu")] in testpmd.output
        testpmd.quit()
