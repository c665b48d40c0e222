# SPDX-License-Identifier: BSD-3-Clause
"""Limits of the system that a start runs into, wherever that is: it works, or says what it lacks."""

import os
import re
import signal

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


def check(lab, wrapper, words):
    """No crash but EAL's own; and of what is missing there is a word."""
    ports, status, output = start(lab, wrapper)
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
def threads():
    """A wrapper for a program that may have so many threads, itself the first."""
    pci.write("/sys/fs/cgroup/cgroup.subtree_control", "+pids")
    os.mkdir(GROUP)

    def wrapper(count):
        pci.write(f"{GROUP}/pids.max", str(count))
        return ["sh", "-c", f'echo $$ >{GROUP}/cgroup.procs; exec "$@"', "sh"]

    yield wrapper
    os.rmdir(GROUP)


def test_threads(lab, threads, capsys):
    """Devices join one after another where no thread can be had for them."""
    found = {limit: check(lab, threads(limit), "thread|resource temporarily unavailable")
             for limit in (1, 2, 3, 4, 5, 6, 8, 16)}
    with capsys.disabled():
        print(f"\n  ports by threads: {found}")
    assert found[1] == 0 and found[16] == 2
