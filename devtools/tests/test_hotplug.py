# SPDX-License-Identifier: BSD-3-Clause
"""Devices that come and go while a program runs: the group rule holds, nothing is left behind."""

import os
import re
import subprocess
import time

import pytest

import kernel
import pci
import plugin
import qmp
from testpmd import AT_RISK, COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

CLIENT = os.path.join(os.path.dirname(plugin.PLUGIN), "../../../app/test/container_client")
# The host bridge: an -a list that names no NIC, as Open vSwitch starts EAL.
NOTHING = allow("0000:00:00.0")


def wait_until(true, what):
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def remove(bdf):
    """Through sysfs; returns once the device is gone, for which VFIO waits for its users."""
    subprocess.run(["timeout", "60", "sh", "-c", f"echo 1 >{pci.path(bdf, 'remove')}"], check=True)
    assert not os.path.exists(pci.path(bdf))


def has_joined(pid, bdf):
    """Whether the process has the device's node open."""
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return pci.cdev(bdf) in links


def rescan():
    pci.write("/sys/bus/pci/rescan", "1")


@pytest.fixture
def all_come_back(lab):
    """What a test has removed is there for the next one, and in its group."""
    yield
    rescan()
    for bdf in (lab.GROUP_HD, lab.EDU):
        pci.come_to_group(bdf)


def counts(pid):
    """Open files and pinned memory of a process; hugepages and pinned pages of the machine.

    Not VmLck: testpmd locks all it ever reserves.
    """
    fds = f"/proc/{pid}/fd"
    links = sorted(re.sub(r"\d+", "N", os.readlink(f"{fds}/{fd}")) for fd in os.listdir(fds))
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        pinned = re.findall(r"^VmPin:\s+(\d+)", file.read(), re.MULTILINE)
    with open("/proc/meminfo", encoding="ascii") as file:
        hugepages = re.findall(r"^HugePages_Free:\s+(\d+)", file.read(), re.MULTILINE)
    return links, pinned, hugepages, kernel.pages_pinned()


def attach(testpmd, bdf):
    output = testpmd.command(f"port attach {bdf}")
    assert "Port 0 is attached" in output, output
    return output


# What stays behind shows after the first; DPDK_IOASID_TEST_CYCLES=1000 is for the patient.
CYCLES = int(os.environ.get("DPDK_IOASID_TEST_CYCLES", "100"))


@pytest.mark.one_kernel
def test_cycles(lab, no_faults, capsys):
    """Set up and released, no file, map, pinned page or object stays.

    A device that VFIO cannot reset, since its neighbour is not bound: resets take a second.
    """
    pci.bind(lab.EDU, "vfio-pci")
    result = subprocess.run(
        [CLIENT, "-l", "0-1", "--iova-mode=va", "-m", "8", *NOTHING, "--allow-insecure-vfio",
         "--", "cycle", str(CYCLES), lab.EDU],
        env=plugin.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=120)
    lines = result.stdout.splitlines()
    joins = [line for line in lines if "device id" in line]
    rest = [line for line in lines if "device id" not in line]
    print("\n".join(rest))
    assert result.returncode == 0
    # The kernel gives the lowest free number: as long as nothing stays, always the same.
    assert len(joins) == CYCLES
    assert len(set(joins)) == 1
    assert result.stdout.count(AT_RISK) == CYCLES
    with capsys.disabled():
        print("", *rest[-3:], sep="\n  ")


@pytest.mark.every_dpdk
@pytest.mark.core("hotplug")
def test_attach_and_detach(lab, no_faults, all_come_back):
    """The group rule at run time; a neighbour that goes and comes again."""
    nic, disk = lab.GROUP_NIC, lab.GROUP_HD
    for bdf in (nic, disk):
        pci.bind(bdf, "vfio-pci")
    with Testpmd(*NOTHING, *COMMON, app=[*NOT_STARTED, "--hot-plug"]) as testpmd:
        testpmd.started()
        output = testpmd.command(f"port attach {nic}")
        assert f"{nic} refused: its IOMMU group {pci.group(nic)} holds other devices" in output
        assert re.search(rf"^  {disk} .*: not named by -a", output, re.MULTILINE), output
        # There is no PMD for it, but now it is named.
        testpmd.command(f"port attach {disk}")
        attach(testpmd, nic)
        assert AT_RISK not in testpmd.output

        # The disk controller only joined, and is let go when the kernel asks for it.
        remove(disk)
        testpmd.wait_for(f"{disk} is being removed or unbound: it leaves")
        rescan()
        testpmd.wait_for(f"{AT_RISK}{disk}]")
        # Named, it joins as soon as it can and DPDK sets up a device, whichever that is.
        pci.bind(disk, "vfio-pci")
        testpmd.command(f"port attach {lab.NIC0}")
        assert has_joined(testpmd.pid, disk)
        at = len(testpmd.output)
        pci.unbind(disk)
        testpmd.wait_for(f"{disk} is being removed or unbound: it leaves", at=at)
        testpmd.wait_for(f"{AT_RISK}{disk}]", at=at)
        testpmd.quit()


@pytest.mark.one_kernel
def test_ten_times_by_testpmd(lab, no_faults):
    with Testpmd(*NOTHING, *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        seen = []
        for _ in range(10):
            attach(testpmd, lab.NIC0)
            testpmd.command("port close 0")
            output = testpmd.command(f"device detach {lab.NIC0}")
            assert "is detached" in output, output
            seen.append(counts(testpmd.pid))
        print(seen[0])
        assert all(one == seen[0] for one in seen[1:])
        assert testpmd.ports() == []
        testpmd.quit()


@pytest.fixture
def slot(lab):
    """A free slot, and a cable to the other NICs: plug() puts a NIC into it."""
    bridge = pci.path("0000:00:14.0")
    qmp.command("netdev_add", type="hubport", id="cable-hot", hubid=0)

    def devices():
        return [name for name in os.listdir(bridge) if re.fullmatch("[0-9a-f:]+[.]0", name)]

    def plug():
        qmp.command("device_add", driver="igb", id="hot", bus="hotplug0", netdev="cable-hot",
                    romfile="", mac="02:00:00:00:00:40")
        wait_until(devices, "the new NIC does not show up")
        [bdf] = devices()
        # Before that it is not complete, and a write to its driver_override may come too early.
        wait_until(lambda: pci.driver(bdf) == "igb", "the kernel's driver does not take the NIC")
        pci.bind(bdf, "vfio-pci")
        return bdf

    plug.un = lambda: qmp.command("device_del", id="hot")
    plug.empty = lambda: not qmp.has("hot")
    yield plug
    if not plug.empty():
        plug.un()
        wait_until(plug.empty, "the NIC does not go")
    qmp.command("netdev_del", id="cable-hot")


@pytest.mark.every_dpdk
@pytest.mark.core("hotplug")
def test_pulled_out_while_it_forwards(lab, slot):
    """The kernel asks for it, DPDK lets go, and it can come back."""
    bdf = slot()
    with Testpmd(*allow(lab.NIC0), *COMMON, app=["--hot-plug"]) as testpmd:
        testpmd.started()
        before = counts(testpmd.pid)
        testpmd.command(f"port attach {bdf}")
        testpmd.command("port start all")
        testpmd.command("start tx_first")
        testpmd.forwarded(5_000)
        at = len(testpmd.output)
        slot.un()
        testpmd.wait_for(f"{bdf} is being removed or unbound", at=at)
        testpmd.wait_for("Now total ports is 1", at=at)
        wait_until(slot.empty, f"{bdf} does not go")
        assert not os.path.exists(pci.path(bdf))
        testpmd.command("stop")
        assert testpmd.ports() == [lab.NIC0]
        assert counts(testpmd.pid) == before

        assert slot() == bdf
        testpmd.command(f"port attach {bdf}")
        assert testpmd.ports() == [lab.NIC0, bdf]
        testpmd.quit()
