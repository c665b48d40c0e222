# SPDX-License-Identifier: BSD-3-Clause
"""SR-IOV: a physical function in one process, a virtual function of it in another."""

import os
import subprocess

import pytest

import pci
import plugin
from testpmd import Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

TOKEN = "bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3"
OTHER = "00000000-5a5f-4f5a-a211-f591514ba1f3"
SRIOV = "/sys/module/vfio_pci/parameters/enable_sriov"
CLIENT = os.path.join(os.path.dirname(plugin.PLUGIN), "../../../app/test/container_client")
# Linux 6.17 and later
ASKS = os.environ.get("LAB_KERNEL") != "lts"


@pytest.fixture
def vf(lab):
    """A virtual function of NIC0, which the kernel puts on vfio-pci as its physical one is."""
    pci.write(SRIOV, "Y")
    pci.write(pci.path(lab.NIC0, "sriov_numvfs"), "1")
    bdf = os.path.basename(os.readlink(pci.path(lab.NIC0, "virtfn0")))
    pci.bind(bdf, "vfio-pci")
    yield bdf
    pci.write(pci.path(lab.NIC0, "sriov_numvfs"), "0")
    pci.write(SRIOV, "N")


def start(name, bdf, *eal, app=()):
    return Testpmd(*allow(bdf), "--iova-mode=va", "-m", "128", f"--file-prefix={name}", *eal,
                   app=["--port-topology=chained", *app])


def probe(bdf, *eal):
    """A program that does no more than set the device up: what it says."""
    result = subprocess.run(
        [CLIENT, "-l", "0-1", "--iova-mode=va", "-m", "64", "--file-prefix=probe", *allow(bdf),
         *eal, "--", "maps", "8"], env=plugin.environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
    print(result.stdout)
    return result.stdout


def test_physical_and_virtual_function(lab, vf):
    with start("pf", lab.NIC0, "--vfio-vf-token", TOKEN) as pf:
        pf.started()
        assert pf.ports() == [lab.NIC0]
        warning = f"{lab.NIC0}: this kernel asks for no VF token"
        assert (warning in pf.output) != ASKS
        if ASKS:
            refused(vf)
        guarded_from_stock(vf)
        with start("vf", vf, "--vfio-vf-token", TOKEN) as user:
            # Its driver does not start without answers from that of the physical function.
            user.started()
            assert user.ports() == [vf]
            assert "asks for no VF token" not in user.output
            user.quit()
        pf.quit()


def refused(vf):
    output = probe(vf)
    assert f"{vf}: JOIN failed (Key was rejected by service): it is a virtual function" in output
    assert "--vfio-vf-token UUID" in output
    output = probe(vf, "--vfio-vf-token", OTHER)
    assert f"{vf}: JOIN failed (Key was rejected by service): the VF token is not the one" in output


def guarded_from_stock(vf):
    """The token that the plugin has set counts for /dev/vfio/GROUP on every kernel."""
    probed = "Probe PCI driver: net_e1000_igb_vf"
    assert probed not in probe(vf, "--ioasid-mode", "container", "--vfio-vf-token", OTHER)
    assert probed in probe(vf, "--ioasid-mode", "container", "--vfio-vf-token", TOKEN)
