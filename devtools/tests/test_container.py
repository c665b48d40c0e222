# SPDX-License-Identifier: BSD-3-Clause
"""Containers are IOASIDs, and user maps: by an application that uses rte_vfio.h itself."""

import os
import re
import subprocess

import pytest

import pci
import plugin
from testpmd import allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

CLIENT = os.path.join(os.path.dirname(plugin.PLUGIN), "../../../app/test/container_client")


def client(*args, eal=(), status=0):
    result = subprocess.run([CLIENT, "-l", "0-1", "--iova-mode=va", "-m", "128", *eal, "--", *args],
                            env=plugin.environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False, timeout=240)
    print(result.stdout)
    assert result.returncode == status
    return result.stdout


@pytest.mark.every_dpdk
def test_more_than_64_containers(lab, no_faults):
    assert "1000 containers" in client("many", "1000", eal=["--no-pci"])


def test_thousands_of_user_maps(lab, no_faults):
    output = client("maps", "5000", eal=allow(lab.NIC0))
    assert "5000 maps" in output
    assert "is mapped to other memory already" in output
    assert "overlaps the map 0x20000000-0x20000fff" in output
    assert "would cut the map 0x20000000-0x20003fff" in output


@pytest.mark.one_kernel
def test_group_descriptors(lab, no_faults):
    """What has one gives it; who asks for another is told so by name."""
    output = client("groups", lab.NIC0, eal=allow(lab.NIC0))
    assert f"groups of {lab.NIC0}" in output
    assert "rte_vfio_get_group_fd(): container_client wants the descriptor" in output
    assert "--ioasid-mode container" in output


@pytest.mark.one_kernel
def test_library_that_makes_group_ioctls(lab, no_faults):
    """Stock EAL serves it beside the plugin, under the group rule."""
    pci.bind(lab.EDU, "vfio-pci")
    devices = [*allow(lab.NIC0, lab.EDU), "--log-level=iommu.ioasid:debug"]
    output = client("raw", lab.EDU, eal=devices, status=1)
    assert f"{lab.EDU} refused: its IOMMU group" in output
    assert "not so: group_client(" in output and "(rte_errno 1)" in output
    output = client("raw", lab.EDU, eal=[*devices, "--allow-insecure-vfio"])
    assert f"these PCI BDFs are also at risk: [{lab.EDU_NIC}]" in output
    assert "librte_net_nbl.so makes ioctls of VFIO groups" in output
    assert f"{lab.EDU} by its group, 9 regions" in output
    assert f"{lab.NIC0}: IOMMU group" in output


def test_vfio_calls_on_the_default_container(lab, no_faults):
    """VFIO_IOMMU_MAP_DMA by the application: the kernel has one IOASID for it."""
    assert "raw maps" in client("compat", eal=allow(lab.NIC0))


def test_live_group_moves(lab, faults, capsys):
    """A DMA in flight may fault during a move on VT-d, which is reported, not forbidden."""
    output = client("move", lab.NIC0, "20", eal=allow(lab.NIC0, lab.NIC1))
    [line] = re.findall("^20 moves.*", output, re.MULTILINE)
    with capsys.disabled():
        print(f" {line}, {len(faults())} DMA faults ", end="")
