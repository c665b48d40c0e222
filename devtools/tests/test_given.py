# SPDX-License-Identifier: BSD-3-Clause
"""Descriptors that a launcher with rights opens for a program without: --ioasid-fd and others."""

import os
import stat
import subprocess

import pytest

import pci
import plugin
from testpmd import NOT_STARTED, Testpmd, allow
from unprivileged import unprivileged

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")


class Launcher:
    """This process, root: opens nodes that nobody else may, and keeps none of them."""

    def __init__(self):
        self.fds = []

    def open(self, node):
        mode = os.stat(node)
        if node != "/dev/null":
            assert mode.st_uid == 0 and not mode.st_mode & stat.S_IRWXO
        self.fds.append(os.open(node, os.O_RDWR))
        return self.fds[-1]

    def device(self, bdf, of=None):
        return f"--vfio-device-fd={bdf}={self.open(pci.cdev(of or bdf))}"

    def hand_over(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []


@pytest.fixture
def launcher(lab):
    launcher = Launcher()
    yield launcher
    launcher.hand_over()


def test_unprivileged_user_forwards(lab, user, launcher):
    """No right on any node, a group of two among the devices, and ports come and go."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    bdfs = [lab.NIC0, lab.NIC1, lab.GROUP_NIC, lab.GROUP_HD]
    eal = [launcher.device(bdf) for bdf in bdfs]
    ioasid = launcher.open("/dev/iommu")
    with unprivileged(bdfs, user, 1 << 20, eal, launcher.fds,
                      {"DPDK_IOASID_OPTS": f"--ioasid-fd {ioasid}"},
                      app=["--portmask=0x3"]) as testpmd:
        launcher.hand_over()
        testpmd.started()
        assert f"fd {ioasid} opened" in testpmd.output
        assert testpmd.ports() == [lab.NIC0, lab.NIC1, lab.GROUP_NIC]
        assert "at risk" not in testpmd.output and "not in use" not in testpmd.output
        testpmd.forward(10_000)
        released_for_good(lab, testpmd)
        testpmd.quit()


def released_for_good(lab, testpmd):
    """A descriptor goes with its device: from then on there is the node only."""
    testpmd.command("port stop 1")
    testpmd.command("port close 1")
    testpmd.command(f"device detach {lab.NIC1}")
    assert pci.cdev(lab.NIC1) not in links(testpmd.pid)
    output = testpmd.command(f"port attach {lab.NIC1}")
    assert f"{lab.NIC1}: fd" in output and "was closed when the device was released" in output
    assert "open failed (Permission denied)" in output


def links(pid):
    return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]


def test_limit_of_the_user_counts(lab, user, launcher):
    """Pages are charged to the program that maps them, not to root who opened /dev/iommu."""
    eal = ["--ioasid-fd", str(launcher.open("/dev/iommu")), launcher.device(lab.NIC0)]
    with unprivileged([lab.NIC0], user, 64 << 10, eal, launcher.fds, app=NOT_STARTED) as testpmd:
        launcher.hand_over()
        testpmd.started()
        assert testpmd.ports() == []
        assert "at least 131072 KiB needed, RLIMIT_MEMLOCK is 65536 KiB" in testpmd.output
        testpmd.quit()


@pytest.mark.one_kernel
def test_not_what_they_are_said_to_be(lab, launcher):
    """One clear message each; the device that is given rightly works."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    null = launcher.open("/dev/null")
    eal = ["--ioasid-fd", str(launcher.open("/dev/iommu")), launcher.device(lab.NIC0),
           launcher.device(lab.NIC1, of=lab.GROUP_NIC), f"--vfio-device-fd={lab.EDU_NIC}={null}"]
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "128", *eal,
                 pass_fds=launcher.fds, app=NOT_STARTED) as testpmd:
        launcher.hand_over()
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        assert (f"is {pci.cdev(lab.GROUP_NIC)} and not its device node, which is "
                f"{pci.cdev(lab.NIC1)}") in testpmd.output
        assert testpmd.output.count("not in use: no such device has been set up") == 2
        assert f"--vfio-device-fd {lab.EDU_NIC}={null} is not in use" in testpmd.output
        testpmd.quit()


@pytest.mark.one_kernel
def test_closed_and_no_iommufd(lab, launcher):
    closed = subprocess.run(["dpdk-testpmd", "--no-huge", "--ioasid-fd", "77"],
                            env=plugin.environment(), capture_output=True, text=True, check=False,
                            timeout=60, stdin=subprocess.DEVNULL)
    assert closed.returncode != 0
    assert "--ioasid-fd 77: fd 77 is not open" in closed.stderr
    null = launcher.open("/dev/null")
    with Testpmd(*allow(lab.NIC0), "--iova-mode=va", "-m", "128", "--ioasid-fd", str(null),
                 pass_fds=[null], app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert "given as /dev/ioasid, is /dev/null and not an iommufd" in testpmd.output
        testpmd.quit()
