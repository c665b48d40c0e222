# SPDX-License-Identifier: BSD-3-Clause
"""Stock EAL under the plugin: kernels without iommufd, and --ioasid-mode."""

import os
import subprocess

import pytest

import nodes
import pci
from testpmd import COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

STOCK = "EAL: Using IOMMU type 1 (Type 1)"


def check_forwarding(testpmd):
    """By EAL's own code; which has no devices where the kernel was built without VFIO's groups."""
    if not os.path.exists("/dev/vfio/vfio"):
        assert "Cannot open VFIO container /dev/vfio/vfio" in testpmd.output
        assert testpmd.ports() == []
        testpmd.quit()
        pytest.skip("without VFIO's groups in the kernel there is nothing to fall back to: no ports")
    assert STOCK in testpmd.output
    testpmd.forward(10_000)
    testpmd.quit()


@pytest.fixture
def no_iommufd(lab):
    with nodes.away():
        yield


@pytest.mark.packaged_kernel
@pytest.mark.core("fallback")
def test_no_nodes_falls_back(lab, no_iommufd):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON) as testpmd:
        testpmd.started()
        assert "this kernel has no iommufd" in testpmd.output
        check_forwarding(testpmd)


@pytest.fixture
def no_cdevs(lab, tmp_path):
    """As on a kernel without CONFIG_VFIO_DEVICE_CDEV, by what tells: the region of their numbers."""
    with open("/proc/devices", encoding="ascii") as file:
        lines = [line for line in file if "vfio-dev" not in line]
    pretended = tmp_path / "devices"
    pretended.write_text("".join(lines))
    subprocess.run(["mount", "--bind", pretended, "/proc/devices"], check=True)
    yield
    subprocess.run(["umount", "/proc/devices"], check=True)


@pytest.mark.one_kernel
def test_no_device_cdevs_falls_back(lab, no_cdevs):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON) as testpmd:
        testpmd.started()
        assert "this kernel's VFIO has no device nodes" in testpmd.output
        check_forwarding(testpmd)


@pytest.mark.one_kernel
@pytest.mark.packaged_kernel
def test_rule_holds_in_the_fallback(lab, no_iommufd):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert f"{lab.GROUP_NIC} refused: its IOMMU group" in testpmd.output
        assert f"-a {lab.GROUP_HD}" in testpmd.output
        testpmd.quit()
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, "--allow-insecure-vfio",
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC]
        assert f"these PCI BDFs are also at risk: [{lab.GROUP_HD}]" in testpmd.output
        testpmd.quit()
    pci.bind(lab.GROUP_HD, "vfio-pci")
    with Testpmd(*allow(lab.GROUP_NIC, lab.GROUP_HD), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC]
        assert "at risk" not in testpmd.output
        testpmd.quit()


@pytest.mark.one_kernel
@pytest.mark.packaged_kernel
@pytest.mark.core("fallback")
def test_mode_container(lab):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON, "--ioasid-mode", "container") as testpmd:
        testpmd.started()
        check_forwarding(testpmd)


@pytest.mark.one_kernel
@pytest.mark.packaged_kernel
def test_mode_native_without_iommufd(lab, no_iommufd):
    with Testpmd(*allow(lab.NIC0), *COMMON, "--ioasid-mode=native", app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert "/dev/iommu: open failed (No such file or directory): does not exist: " \
               "the kernel has no iommufd" in testpmd.output
        assert STOCK not in testpmd.output
        testpmd.quit()
