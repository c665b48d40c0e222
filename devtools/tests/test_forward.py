# SPDX-License-Identifier: BSD-3-Clause
"""An unmodified testpmd forwards packets through one IOASID."""

import pytest

import pci
import qmp
from testpmd import Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")


def check_forwarding(testpmd, ports=(0, 1)):
    for port, stats in testpmd.forward(100_000, ports).items():
        print(f"port {port}: {stats}")
        assert stats["RX-packets"] >= 100_000
        assert stats["TX-packets"] >= 100_000
        assert stats["RX-errors"] == 0


@pytest.mark.one_kernel
def test_as_installed(lab, all_drivers):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va") as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        check_forwarding(testpmd)
        testpmd.quit()


@pytest.mark.parametrize("memory", [["-m", "512"], []], ids=["preallocated", "dynamic"])
@pytest.mark.parametrize("iova", [
    pytest.param("va", marks=pytest.mark.core("forwarding, VA")),
    pytest.param("pa", marks=[pytest.mark.core("forwarding, PA"), pytest.mark.one_kernel])])
@pytest.mark.every_dpdk
def test_two_nics(lab, iova, memory):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), f"--iova-mode={iova}", *memory) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        check_forwarding(testpmd)
        testpmd.quit()


@pytest.mark.every_dpdk
def test_link_state_interrupt(lab):
    """Pull the cable: the interrupt must arrive through the device fd."""
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "512") as testpmd:
        testpmd.started()
        check_forwarding(testpmd)
        at = len(testpmd.output)
        qmp.command("set_link", name="nic0", up=False)
        testpmd.wait_for("Port 0: link state change event", at=at)
        assert "Link status: down" in testpmd.command("show port info 0")
        at = len(testpmd.output)
        qmp.command("set_link", name="nic0", up=True)
        testpmd.wait_for("Port 0: link state change event", at=at)
        testpmd.quit()


def test_e1000_intx(lab):
    """Conventional PCI: e1000 has INTx only. Both e1000 sit in shared groups, all named."""
    bdfs = (lab.GROUP_NIC, lab.GROUP_HD, lab.EDU_NIC, lab.EDU)
    for bdf in bdfs:
        pci.bind(bdf, "vfio-pci")
    with Testpmd(*allow(*bdfs), "--iova-mode=va", "-m", "512") as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC, lab.EDU_NIC]
        assert "at risk" not in testpmd.output
        check_forwarding(testpmd)
        testpmd.quit()


def test_e1000e(lab):
    """Needs two more NICs than the lab has by itself: devtools/test starts it with them."""
    nics = lab.e1000e
    if len(nics) < 2:
        pytest.skip("no e1000e in this machine (devtools/test boots one with two)")
    for bdf in nics:
        pci.bind(bdf, "vfio-pci")
    with Testpmd(*allow(*nics), "--iova-mode=va", "-m", "512") as testpmd:
        testpmd.started()
        assert testpmd.ports() == nics
        check_forwarding(testpmd)
        testpmd.quit()


@pytest.mark.one_kernel
def test_start_quit_ten_times(lab):
    for _ in range(10):
        with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "128",
                     app=["--disable-device-start"]) as testpmd:
            testpmd.started()
            assert testpmd.ports() == [lab.NIC0, lab.NIC1]
            testpmd.quit()


def test_kill_and_start_again(lab):
    """A killed process leaves nothing that blocks the next start."""
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "512") as testpmd:
        testpmd.started()
        testpmd.command("start tx_first")
        testpmd.forwarded(10_000)
        testpmd.kill()
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "512") as testpmd:
        testpmd.started()
        check_forwarding(testpmd)
        testpmd.quit()
