# SPDX-License-Identifier: BSD-3-Clause
"""What mapping costs: number of calls, size of the IOMMU's pages, nothing while packets flow."""

import collections
import os
import re
import subprocess
import time

import pytest

import iommufd
from strace import calls, traced
from testpmd import Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

NAMES = {iommufd.IOAS_MAP: "MAP", iommufd.IOAS_MAP_FILE: "MAP_FILE", iommufd.ATTACH: "ATTACH"}
MIB = 1 << 20


def counted(trace):
    """Calls that succeeded: {"MAP": 2, …}"""
    return dict(collections.Counter(NAMES[call.request] for call in calls(trace)
                                    if call.request in NAMES))


def iommu_pages(bdf):
    """{size: number} of what the IOMMU's page table maps, interrupts excepted."""
    path = f"/sys/kernel/debug/iommu/intel/{bdf}/domain_translation_struct"
    sizes = collections.Counter()
    with open(path, encoding="ascii") as file:
        for line in file:
            # IOVA_PFN | and the entries from the top of five levels down to the one that maps.
            entry = re.match(r"0x[0-9a-f]+ \|((?:\s+0x[0-9a-f]+)+)$", line)
            if not entry:
                continue
            levels = [int(word, 16) for word in entry.group(1).split()]
            while levels[-1] == 0:
                levels.pop()
            sizes[4096 << 9 * (5 - len(levels))] += 1
    return sizes


ONE_FILE = ["--single-file-segments"]
# By where it begins.
AREAS_OF_1_GIB = [4, 5]


def check_superpages(bdf, size, *allowed):
    """Where the driver shows its tables: VT-d's does."""
    if not os.path.isdir("/sys/kernel/debug/iommu/intel"):
        return
    pages = iommu_pages(bdf)
    assert set(pages) <= set(allowed), pages
    assert sum(size * number for size, number in pages.items()) == size


def start_and_count(lab, trace, mib, maps, *eal):
    """maps: the one kind of call that maps, and how many may be made."""
    with traced(trace, *allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", str(mib), *eal,
                app=["--disable-device-start"]) as testpmd:
        testpmd.started()
        check_superpages(lab.NIC0, mib * MIB, 2 * MIB, 1024 * MIB)
        testpmd.quit()
    made = counted(trace)
    [(name, allowed)] = maps.items()
    count = made[name]
    assert made == {name: count, "ATTACH": 2}
    assert count in allowed
    assert f"{mib} MiB of DPDK's memory mapped by {count} call(s)" in testpmd.output
    return testpmd.output


@pytest.mark.parametrize("layout", [[], ["--in-memory"]], ids=["default", "in-memory"])
def test_a_file_for_each_page(lab, tmp_path, layout):
    """By address, in one call; where one file would be faster, the user is told so."""
    output = start_and_count(lab, tmp_path / "trace", 512, {"MAP": [1]}, *layout)
    assert ("--single-file-segments" in output) == iommufd.has_map_file()


def test_much_memory_with_a_file_for_each_page(lab, tmp_path):
    """By file, each page a call, which is faster than pinning each 4 KiB; two devices share it."""
    by_file = iommufd.has_map_file()
    output = start_and_count(lab, tmp_path / "trace", 1024,
                             {"MAP_FILE": [512]} if by_file else {"MAP": AREAS_OF_1_GIB})
    assert ("--single-file-segments" in output) == by_file


@pytest.mark.core("map calls")
def test_one_file(lab, tmp_path):
    """512 MiB that are never freed are one map; two devices share it."""
    output = start_and_count(lab, tmp_path / "trace", 512,
                             {"MAP_FILE" if iommufd.has_map_file() else "MAP": [1]}, *ONE_FILE)
    assert "--single-file-segments" not in output


@pytest.mark.core("map calls")
def test_much_memory_in_one_file(lab, tmp_path):
    """In areas that end at multiples of 256 MiB: several threads can map and unmap them."""
    start_and_count(lab, tmp_path / "trace", 1024,
                    {"MAP_FILE" if iommufd.has_map_file() else "MAP": AREAS_OF_1_GIB}, *ONE_FILE)


def test_memory_that_comes_and_goes(lab):
    """One page, one map: each may be freed by itself. Not with --match-allocations."""
    for layout in (ONE_FILE, [*ONE_FILE, "--match-allocations"]):
        with Testpmd(*allow(lab.NIC0), "--iova-mode=va", "--log-level=iommu.ioasid:debug", *layout,
                     app=["--disable-device-start"]) as testpmd:
            testpmd.started()
            testpmd.quit()
        events = re.findall(r"(\d+) KiB at 0x\w+ mapped by (\d+) call", testpmd.output)
        largest, maps = max((int(kib), int(calls)) for kib, calls in events)
        assert largest > 2048
        assert maps == (1 if "--match-allocations" in layout else largest // 2048)


# Of DPDK's, in any of its releases.
THREADS = r"dpdk-.*|rte-worker-\d+|eal-intr-.*|rte_mp_.*|lcore-.*|telemetry-.*"
# What these wait in; restart_syscall is how a call goes on that the trace has interrupted.
# Arm has no epoll_wait.
WAITING = {"accept", "epoll_wait", "epoll_pwait", "read", "recvmsg", "restart_syscall"}


def threads(pid):
    names = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as file:
            names.append(file.read().strip())
    return names


def syscalls(pid, trace, seconds):
    """What each thread of a process calls: {tid: [name]}"""
    with subprocess.Popen(["strace", "-f", "-q", "-o", trace, "-p", str(pid)]) as strace:
        time.sleep(seconds)
        strace.terminate()
    found = collections.defaultdict(list)
    for tid, name in re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.M):
        found[tid].append(name)
    return found


def test_nothing_runs_while_packets_flow(lab, tmp_path):
    """Through memory mapped by file. No thread is ours, and none is woken, by a timer say."""
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "512",
                 *ONE_FILE) as testpmd:
        testpmd.started()
        testpmd.command("start tx_first")
        testpmd.forwarded(10_000)
        names, called = threads(testpmd.pid), syscalls(testpmd.pid, tmp_path / "trace", 2)
        testpmd.forwarded(10_000)
        testpmd.command("stop")
        testpmd.quit()
    print(names, dict(called))
    assert [name for name in names if not re.fullmatch(THREADS, name)] == []
    # The one call that a thread has been waiting in all the time.
    assert [made for made in called.values() if len(made) > 1 or made[0] not in WAITING] == []


@pytest.fixture
def few_entries():
    """VFIO's container may have 64 maps; /dev/ioasid knows no such limit."""
    path = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
    with open(path, encoding="ascii") as file:
        before = file.read()
    write(path, "64")
    yield
    write(path, before)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


@pytest.mark.one_kernel
def test_beyond_the_containers_limit(lab, few_entries):
    """IOVA as PA is a map a page for stock EAL, and memory soon has more pages than 64."""
    args = [*allow(lab.NIC0), "--iova-mode=pa", "-m", "512"]
    with Testpmd(*args, app=["--disable-device-start"], preload=False) as testpmd:
        testpmd.wait_for("No space left on device")
        testpmd.kill()
    with Testpmd(*args, app=["--disable-device-start"]) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        testpmd.quit()
