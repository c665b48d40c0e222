# SPDX-License-Identifier: BSD-3-Clause
"""Devices of other kinds than the lab's own, plugged in, through DPDK's own drivers."""

import re
import subprocess

import pytest

import pci
import plugin
import qmp
from test_command import plug, unplug
from test_hotplug import has_joined, wait_until
from testpmd import COMMON, NOT_STARTED, Testpmd, allow

pytestmark = [pytest.mark.usefixtures("no_leftovers", "all_drivers"), pytest.mark.one_kernel]

TRANSLATED = {"iommu_platform": True, "disable-legacy": "on"}


@pytest.fixture
def cable(lab):
    """To the lab's NICs: the options of a NIC that is plugged in."""
    qmp.command("netdev_add", type="hubport", id="cable-plugged", hubid=0)
    yield {"netdev": "cable-plugged", "mac": "02:00:00:00:00:60", "romfile": ""}
    qmp.command("netdev_del", id="cable-plugged")


@pytest.fixture
def plugged():
    """plug(), bound to vfio-pci, for as long as the test takes."""
    bdfs = []

    def plug_one(driver, **options):
        bdfs.append(plug(driver, **options))
        pci.bind(bdfs[0], "vfio-pci")
        return bdfs[0]

    yield plug_one
    for bdf in bdfs:
        unplug(bdf)


@pytest.mark.parametrize("model, driver, options", [
    ("vmxnet3", "net_vmxnet3", {}), ("virtio-net-pci", "net_virtio", TRANSLATED),
    ("e1000e", "net_e1000_em", {})])
def test_nic(lab, cable, plugged, faults, model, driver, options):
    """Packets both ways between it and an igb."""
    bdf = plugged(model, **cable, **options)
    with Testpmd(*allow(lab.NIC0, bdf), *COMMON) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, bdf]
        assert f"Driver name: {driver}" in testpmd.command("show port info 1")
        for stats in testpmd.forward(1_000).values():
            assert stats["RX-packets"] >= 1_000
        testpmd.quit()
    # vmxnet3's driver leaves an address 0 in what the device reads, with stock EAL, too. (Where the
    # line tells it: VT-d's.)
    assert not [line for line in faults()
                if model != "vmxnet3" or re.search(r"fault addr 0x(?!0 )", line)]


def crypto_perf(bdf, *eal):
    result = subprocess.run(
        ["dpdk-test-crypto-perf", *allow(bdf), "--iova-mode=pa", "-m", "128", "--lcores", "0-1",
         *eal, "--", "--devtype", "crypto_virtio", "--ptest", "throughput",
         "--optype", "cipher-only", "--cipher-algo", "aes-cbc", "--cipher-op", "encrypt",
         "--cipher-key-sz", "16", "--cipher-iv-sz", "16", "--buffer-sz", "64", "--burst-sz", "32",
         "--total-ops", "1024"],
        env=plugin.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False, timeout=120)
    print(result.stdout)
    return result


def test_crypto(lab, plugged, no_faults):
    """No NIC at all. DPDK's driver of virtio-crypto cannot do with an IOMMU: without
    VIRTIO_F_ACCESS_PLATFORM, which it does not know, the device's DMA goes past it."""
    qmp.command("object-add", **{"qom-type": "cryptodev-backend-builtin", "id": "crypto"})
    bdf = plugged("virtio-crypto-pci", cryptodev="crypto")
    assert f"{bdf} refused: a virtio device without VIRTIO_F_ACCESS_PLATFORM" in \
        crypto_perf(bdf).stdout
    result = crypto_perf(bdf, "--allow-insecure-vfio")
    assert result.returncode == 0
    assert f"IOASID: {bdf}: IOMMU group" in result.stdout
    # Operations enqueued and dequeued
    assert re.search(r"^ +\d+ +64 +32 +1024 +1024 ", result.stdout, re.M)


@pytest.fixture
def card(lab, cable):
    """A NIC and an NVMe disk as functions of one card without ACS: one group."""
    qmp.command("blockdev-add", driver="null-co", **{"node-name": "disk", "read-zeroes": True})
    # The slot tells of its card when function 0 comes, and lets all go with it.
    qmp.command("device_add", driver="nvme", id="function1", bus="hotplug0", addr="0.1",
                multifunction=True, drive="disk", serial="1")
    slot = plug("e1000e", addr="0.0", multifunction=True, **cable)[:-1]
    nic, disk = f"{slot}0", f"{slot}1"
    for bdf, driver in ((nic, "e1000e"), (disk, "nvme")):
        # Which it takes in its own time.
        wait_until(lambda: pci.driver(bdf) == driver, f"{driver} does not take {bdf}")
        pci.bind(bdf, "vfio-pci")
    yield nic, disk
    unplug(nic)
    qmp.command("blockdev-del", **{"node-name": "disk"})


def test_functions_of_one_card(lab, card, no_faults):
    """DPDK has no driver for the disk: named it only joins."""
    nic, disk = card
    assert pci.members(nic) == [nic, disk]
    with Testpmd(*allow(lab.NIC0, nic), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        assert f"{nic} refused: its IOMMU group {pci.group(nic)} holds other devices" in \
            testpmd.output
        testpmd.quit()
    with Testpmd(*allow(lab.NIC0, nic, disk), *COMMON) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, nic]
        assert has_joined(testpmd.pid, disk)
        for stats in testpmd.forward(1_000).values():
            assert stats["RX-packets"] >= 1_000
        testpmd.quit()
