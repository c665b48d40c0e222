# SPDX-License-Identifier: BSD-3-Clause
"""Limits of the system that a start runs into, wherever that is: it works, or says what it lacks."""

import os
import re
import signal
from pathlib import Path

import pytest

import pci
from testpmd import COMMON, NOT_STARTED, Testpmd, allow

pytestmark = [pytest.mark.usefixtures("no_faults", "no_leftovers"), pytest.mark.one_kernel]

# rte_panic(); and pthread_cancel() at EAL's end, for which libc must open a library.
EAL_ABORTS = re.compile("PANIC in |libgcc_s.so.1 must be installed")
GROUP = "/sys/fs/cgroup/limits"


def start(lab, wrapper):
    """How far a start comes: its ports, its exit status (0 until it ends), its output."""
    bdfs = (lab.NIC0, lab.NIC1)
    with Testpmd(*allow(*bdfs), *COMMON, app=NOT_STARTED, wrapper=wrapper) as testpmd:
        try:
            testpmd.started()
        except AssertionError:
            return [], testpmd.wait_end(), testpmd.output
        ports = testpmd.ports()
        testpmd.quit()
        return ports, 0, testpmd.output


def check(lab, wrapper, words, may_be_killed=False):
    """No crash but EAL's own; and of what is missing there is a word."""
    ports, status, output = start(lab, wrapper)
    if may_be_killed and status == -signal.SIGKILL:
        return 0
    if status < 0:
        assert status == -signal.SIGABRT and EAL_ABORTS.search(output), output
    elif ports != [lab.NIC0, lab.NIC1]:
        assert re.search(words, output, re.I), output
    return len(ports)


def test_descriptors(lab, capsys):
    """From so few that EAL does not start to enough for all."""
    found = {limit: check(lab, ["prlimit", f"--nofile={limit}:{limit}"],
                          "too many open files|ulimit -n|descriptor")
             for limit in (8, 32, *range(76, 104, 4), 256)}
    with capsys.disabled():
        print(f"\n  ports by descriptors: {found}")
    assert found[8] == 0 and found[256] == 2


@pytest.fixture
def group():
    """A function for a wrapper of a program in a cgroup with so much of something."""
    def wrapper(file, limit):
        controller = file.split(".")[0]
        pci.write("/sys/fs/cgroup/cgroup.subtree_control", f"+{controller}")
        os.makedirs(GROUP, exist_ok=True)
        pci.write(f"{GROUP}/{file}", str(limit))
        return ["sh", "-c", f'echo $$ >{GROUP}/cgroup.procs; exec "$@"', "sh"]

    yield wrapper
    os.rmdir(GROUP)


def test_threads(lab, group, capsys):
    """Devices join one after another where no thread can be had for them."""
    found = {limit: check(lab, group("pids.max", limit), "thread|resource temporarily unavailable")
             for limit in (1, 2, 3, 4, 5, 6, 8, 16)}
    with capsys.disabled():
        print(f"\n  ports by threads: {found}")
    assert found[1] == 0 and found[16] == 2


def oom_kills():
    return int(re.search(r"oom_kill (\d+)", Path(f"{GROUP}/memory.events").read_text(encoding="ascii"))[1])


def test_memory(lab, group, capsys):
    """Of a cgroup: what the kernel does then is to kill; a device that was attached comes back."""
    found, killed = {}, {}
    for mib in (4, 8, 12, 16, 20, 24, 32, 256):
        wrapper = group("memory.max", mib << 20)
        before = oom_kills()
        found[mib] = check(lab, wrapper, "memory", may_be_killed=True)
        killed[mib] = oom_kills() - before
        assert (found[mib] == 2) == (killed[mib] == 0), "an end that nobody has told of"
    with capsys.disabled():
        print(f"\n  ports by MiB of memory: {found}; killed: {killed}")
    assert found[4] == 0 and found[256] == 2


def test_hugepages(lab, group, capsys):
    """Of a cgroup that has too few, which a program sees as SIGBUS where EAL does not expect it."""
    found = {mib: check(lab, group("hugetlb.2MB.max", mib << 20), "memory|hugepage")
             for mib in (0, 2, 64, 126, 130, 256)}
    with capsys.disabled():
        print(f"\n  ports by MiB of hugepages: {found}")
    assert found[0] == 0 and found[256] == 2


@pytest.fixture
def no_hugepages():
    """There are none in the system."""
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    before = Path(path).read_text(encoding="ascii")
    pci.write(path, "0")
    yield
    pci.write(path, before)


def test_no_hugepages(lab, no_hugepages):
    """EAL says so, before a device is touched."""
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON, app=NOT_STARTED) as testpmd:
        output = testpmd.failed()
    assert re.search("No free .*hugepages|Cannot get hugepage information", output), output
    assert "attached to IOASID" not in output
