# SPDX-License-Identifier: BSD-3-Clause
"""The group rule as long as a device is attached: what comes, goes, and is given up meanwhile."""

import os
import re
import time

import pytest

import kernel
import pci
from rule_client import Client
from test_hotplug import all_come_back, has_joined, remove, rescan  # noqa: F401 (a fixture)
from test_isolation import PATTERN, reach
from testpmd import AT_RISK, COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

# EAL probes none of the devices by itself: the application names them when it sets them up.
NO_PROBE = allow("0000:00:00.0")


def is_bus_master(bdf):
    with open(pci.path(bdf, "config"), "rb") as config:
        return bool(config.read(6)[4] & 4)


def test_member_that_is_released_stays_joined(lab, no_faults):
    """As testpmd's `port detach`: reset and quiet, nobody else's, and handed over again."""
    nic, disk = lab.EDU_NIC, lab.EDU
    for bdf in (nic, disk):
        pci.bind(bdf, "vfio-pci")
    with Client("member", nic, disk, eal=NO_PROBE) as client:
        client.wait_for("released")
        assert has_joined(client.process.pid, disk)
        assert not is_bus_master(disk)
        client.go_on()
        client.wait_for("all released")
        assert AT_RISK not in client.output
        assert not has_joined(client.process.pid, disk)
        client.go_on()
        client.end()


def test_container_given_up_under_a_live_device(lab, faults):
    """Its devices do not fall back into DPDK's memory: edu's DMA lands nowhere."""
    nic, edu = lab.EDU_NIC, lab.EDU
    for bdf in (nic, edu):
        pci.bind(bdf, "vfio-pci")
    # NIC0 has DPDK's memory mapped.
    with Client("giveup", edu, eal=allow(lab.NIC0, nic, edu)) as client:
        client.wait_for("in a container")
        assert reach(client.process.pid, edu) != PATTERN
        client.go_on()
        client.wait_for("given up")
        kernel.forget_dma_faults()
        assert reach(client.process.pid, edu) != PATTERN
        # A device without a page table SMMUv3 stops without a word (STE.Config 0b000).
        assert faults() or os.environ["LAB_IOMMU"] == "smmuv3"
        client.go_on()
        client.end()


def test_set_up_that_fails_half_way_and_then_does_not(lab, no_faults):
    """The warning belongs to the one that succeeded."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with Client("halfway", lab.GROUP_NIC, eal=[*NO_PROBE, "--allow-insecure-vfio"],
                wrapper=["prlimit", "--memlock=unlimited:unlimited", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]) as client:
        client.wait_for("failed half-way")
        assert "could not be mapped" in client.output
        client.output = ""
        client.wait_for("set up")
        assert f"{AT_RISK}{lab.GROUP_HD}]" in client.output
        client.end()


@pytest.mark.usefixtures("all_come_back")
def test_plugged_into_a_live_group(lab, no_faults, capsys):
    """testpmd without --hot-plug follows no events, as Open vSwitch and others."""
    nic, disk = lab.GROUP_NIC, lab.GROUP_HD
    pci.bind(nic, "vfio-pci")
    remove(disk)
    with Testpmd(*allow(nic), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [nic]
        assert AT_RISK not in testpmd.output
        begin = time.monotonic()
        rescan()
        pci.come_to_group(disk)
        testpmd.wait_for(f"{AT_RISK}{disk}]")
        with capsys.disabled():
            print(f" told after {time.monotonic() - begin:.2f} s ", end="")
        remove(disk)
        rescan()
        pci.come_to_group(disk)
        testpmd.wait_for(f"{AT_RISK}{disk}]", at=testpmd.output.rindex(AT_RISK) + 1)
        testpmd.quit()


@pytest.mark.usefixtures("all_come_back")
def test_plugged_into_a_live_group_of_stock_eal(lab, no_faults):
    nic, disk = lab.GROUP_NIC, lab.GROUP_HD
    pci.bind(nic, "vfio-pci")
    remove(disk)
    with Testpmd(*allow(nic), *COMMON, "--ioasid-mode", "container", app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [nic]
        rescan()
        pci.come_to_group(disk)
        testpmd.wait_for(f"{AT_RISK}{disk}]")
        testpmd.quit()


@pytest.fixture
def switch_nic(lab):
    """An igb behind a switch without ACS: what it makes of itself is in its own group."""
    nics = [bdf for bdf in pci.find("8086", "10c9") if len(pci.members(bdf)) > 1]
    assert len(nics) == 1, "devtools/test gives the machine one"
    [bdf] = nics
    before = pci.driver(bdf)
    pci.write("/sys/module/vfio_pci/parameters/enable_sriov", "Y")
    pci.bind(bdf, "vfio-pci")
    yield bdf
    pci.write(pci.path(bdf, "sriov_numvfs"), "0")
    pci.write("/sys/module/vfio_pci/parameters/enable_sriov", "N")
    if before:
        pci.bind(bdf, before)
    else:
        pci.unbind(bdf)


def test_virtual_functions_made_in_a_live_group(switch_nic, no_faults):
    with Testpmd(*allow(switch_nic), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [switch_nic]
        assert AT_RISK not in testpmd.output
        pci.write(pci.path(switch_nic, "sriov_numvfs"), "2")
        vfs = [os.path.basename(os.readlink(pci.path(switch_nic, f"virtfn{i}"))) for i in (0, 1)]
        assert set(vfs) < set(pci.members(switch_nic))
        testpmd.wait_for(f"{vfs[1]}]")
        assert re.search(rf"also at risk: \[{vfs[0]}, {vfs[1]}\]", testpmd.output)
        testpmd.quit()
