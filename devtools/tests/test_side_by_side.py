# SPDX-License-Identifier: BSD-3-Clause
"""Devices that -a names join side by side, and leave side by side."""

import errno
import os
import re
import subprocess

import pytest

import kernel
import memory_client
import pci
import plugin
from iommufd import ATTACH, BIND, Iommufd
from strace import calls, traced
from testpmd import COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

DEBUG = "--log-level=iommu.ioasid:debug"


@pytest.fixture
def devices(lab):
    """Four and more, in the order of their addresses, as EAL takes them: two share a group."""
    bdfs = sorted([lab.NIC0, lab.NIC1, *lab.e1000e, lab.GROUP_NIC, lab.GROUP_HD])
    for bdf in bdfs:
        pci.bind(bdf, "vfio-pci")
    return bdfs


@pytest.mark.every_dpdk
def test_join_and_leave(lab, devices, tmp_path):
    """By several threads, before anything is attached, each once; in the log, in EAL's order."""
    trace = tmp_path / "trace"
    nics = [bdf for bdf in devices if bdf != lab.GROUP_HD]
    with traced(trace, *allow(*devices), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == nics
        [tracee] = subprocess.run(["pgrep", "-P", str(testpmd.pid)], capture_output=True,
                                  text=True, check=True).stdout.split()
        names = [open(f"/proc/{tracee}/task/{tid}/comm", encoding="ascii").read().strip()
                 for tid in os.listdir(f"/proc/{tracee}/task")]
        testpmd.quit()
    # Once more, at once: all has been given back.
    with Testpmd(*allow(*devices), *COMMON, app=NOT_STARTED) as second:
        second.started()
        assert second.ports() == nics
        second.quit()
    found = calls(trace)
    binds = [call for call in found if call.request == BIND]
    attaches = [call for call in found if call.request == ATTACH]
    fds = {call.fd for call in binds}
    closes = [call for call in found[found.index(attaches[-1]):]
              if call.name == "close" and call.fd in fds]
    print(testpmd.output, names, binds)
    assert "ioasid" not in names
    assert len(binds) == len(fds) == len(closes) == len(devices)
    assert found.index(binds[-1]) < found.index(attaches[0])
    assert len({call.thread for call in binds}) > 1
    assert len({call.thread for call in closes}) > 1
    joined = re.findall(r"IOASID: (\S+) joined$", testpmd.output, re.M)
    assert joined == sorted(joined, key=lambda bdf: devices.index(
        lab.GROUP_NIC if bdf == lab.GROUP_HD else bdf))
    assert sorted(joined) == devices


def test_one_that_cannot_join(lab, devices):
    """It fails in its own turn, with its own words, and keeps nobody from anything."""
    group = os.open(f"/dev/vfio/{pci.group(lab.NIC1)}", os.O_RDWR | os.O_CLOEXEC)
    try:
        with Testpmd(*allow(*devices), *COMMON, DEBUG, app=NOT_STARTED) as testpmd:
            testpmd.started()
            assert testpmd.ports() == [bdf for bdf in devices
                                       if bdf not in (lab.NIC1, lab.GROUP_HD)]
            testpmd.quit()
    finally:
        os.close(group)
    print(testpmd.output)
    told = [line for line in testpmd.output.splitlines() if "JOIN failed" in line]
    assert len(told) == 1 and lab.NIC1 in told[0]
    before, after = testpmd.output.split(told[0])
    assert f"{lab.NIC0} joined" in (before if lab.NIC0 < lab.NIC1 else after)
    for bdf in lab.e1000e:
        assert f"{bdf} joined" in (before if bdf < lab.NIC1 else after)


def test_one_that_nobody_wants(lab):
    """A device without a driver of DPDK's is joined ahead, too, and free again at the prompt."""
    pci.bind(lab.EDU, "vfio-pci")
    with Testpmd(*allow(lab.NIC0, lab.EDU), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        held = [link for link in kernel.open_files(testpmd.pid) if link.startswith("/dev/vfio")]
        assert held == [pci.cdev(lab.NIC0)]
        with Iommufd() as other:
            other.bind(lab.EDU)
            with pytest.raises(OSError) as error:
                other.bind(lab.NIC0)
            assert error.value.errno in (errno.EINVAL, errno.EBUSY)
        testpmd.quit()


@pytest.mark.every_dpdk
def test_all_is_given_back_by_the_clean_up(lab):
    """Not only by the end of the process: BARs that EAL leaves mapped hold a device, too."""
    bdfs = (lab.NIC0, lab.NIC1)
    with subprocess.Popen(memory_client.command(allow(*bdfs), [lab.NIC0, "linger"]), text=True,
                          env=plugin.environment(), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as client:
        for line in client.stdout:
            print(line, end="")
            if line == "cleaned up\n":
                break
        with open(f"/proc/{client.pid}/maps", encoding="ascii") as file:
            assert "/dev/vfio" not in file.read()
        # A librte_eal that calls itself directly opens a container, which holds nothing.
        empty = ["/dev/vfio/vfio"] if plugin.eal_calls_itself_directly() else []
        assert [link for link in kernel.open_files(client.pid)
                if link.startswith(("/dev/vfio", "/dev/iommu"))] == empty
        with Iommufd() as other:
            for bdf in bdfs:
                other.bind(bdf)
        client.stdin.close()
        assert client.wait() == 0
