# SPDX-License-Identifier: BSD-3-Clause
"""VFIO's no-IOMMU mode, in a machine whose IOMMU is off: devtools/test boots it for this
directory."""

import pytest

import pci
from testpmd import Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

REFUSED = "refused: there is no IOMMU behind it"


@pytest.fixture(scope="session", autouse=True)
def unsafe_mode():
    """Without it vfio-pci takes no device here."""
    pci.write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "1")


def test_refused(lab):
    with Testpmd(*allow(lab.NIC0), "-m", "128", app=["--port-topology=chained"]) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        output = testpmd.quit()
    assert f"{lab.NIC0} {REFUSED}" in output
    assert "accept the risk: --allow-insecure-vfio" in output


def test_risk_accepted(lab):
    """Said loudly, and then it forwards, as under stock EAL."""
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "-m", "128", "--allow-insecure-vfio") as testpmd:
        testpmd.started()
        assert "this machine has no IOMMU, or it is off" in testpmd.output
        for bdf in (lab.NIC0, lab.NIC1):
            assert f"{bdf} has NO IOMMU: it can reach ALL memory of this machine" in testpmd.output
        assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        testpmd.forward(10_000)
        testpmd.quit()


def test_no_address_space_without_iommu(lab):
    """Whatever the user accepts: --ioasid-mode native has nothing to offer."""
    with Testpmd(*allow(lab.NIC0), "-m", "128", "--ioasid-mode=native", "--allow-insecure-vfio",
                 app=["--port-topology=chained"]) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        output = testpmd.quit()
    assert f"{lab.NIC0} {REFUSED}" in output
    assert "--ioasid-mode container" in output
