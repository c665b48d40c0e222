# SPDX-License-Identifier: BSD-3-Clause
"""What mapping costs: number of calls, size of the IOMMU's pages, nothing while packets flow."""

import collections
import os
import re
import subprocess
import time

import pytest

import iommufd
import plugin
from testpmd import Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

NAMES = {iommufd.IOAS_MAP: "MAP", iommufd.IOAS_MAP_FILE: "MAP_FILE", iommufd.ATTACH: "ATTACH"}
MIB = 1 << 20


def traced(trace, *eal, app=()):
    """A testpmd whose ioctls are written to a file."""
    strace = ["strace", "-f", "--seccomp-bpf", "-e", "trace=ioctl", "-X", "raw", "-o", trace,
              "-E", f"LD_PRELOAD={plugin.PLUGIN}"]
    return Testpmd(*eal, "--log-level=iommu.ioasid:debug", app=app, preload=False, wrapper=strace)


def calls(trace):
    """Calls that succeeded: {"MAP": 2, …}"""
    requests = re.findall(r"ioctl\(\w+, (\w+), .* = 0$", trace.read_text(), re.M)
    return {NAMES[number]: count for number, count in
            collections.Counter(int(request, 16) for request in requests).items()
            if number in NAMES}


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


# EAL's arguments; whether all pages have one file
@pytest.mark.parametrize("layout,one_file", [
    ([], False),
    (ONE_FILE, True),
    (["--in-memory"], False),
    (["--in-memory", *ONE_FILE], True),
], ids=lambda value: "_".join(value).replace("--", "") if isinstance(value, list) else None)
def test_calls_for_memory_that_stays(lab, tmp_path, layout, one_file):
    """By address 512 MiB are one call. By file one for each file. Two devices share them."""
    by_file = iommufd.has_map_file()
    with traced(tmp_path / "trace", *allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "512",
                *layout, app=["--disable-device-start"]) as testpmd:
        testpmd.started()
        pages = iommu_pages(lab.NIC0)
        assert set(pages) <= {2 * MIB, 1024 * MIB}, pages
        assert sum(size * number for size, number in pages.items()) == 512 * MIB
        testpmd.quit()
    maps = 256 if by_file and not one_file else 1
    assert calls(tmp_path / "trace") == {"MAP_FILE" if by_file else "MAP": maps, "ATTACH": 2}
    assert f"512 MiB of DPDK's memory mapped by {maps} call(s)" in testpmd.output
    # Told what would help, and only if it would.
    assert ("--single-file-segments 1 call(s)" in testpmd.output) == (maps > 1)


def test_calls_for_memory_that_comes_and_goes(lab, tmp_path):
    """One page, one map: each may be freed by itself. Not with --match-allocations."""
    for layout in (ONE_FILE, [*ONE_FILE, "--match-allocations"]):
        with traced(tmp_path / "trace", *allow(lab.NIC0), "--iova-mode=va", *layout,
                    app=["--disable-device-start"]) as testpmd:
            testpmd.started()
            testpmd.quit()
        events = re.findall(r"(\d+) KiB at 0x\w+ mapped by (\d+) call", testpmd.output)
        largest, maps = max((int(kib), int(calls)) for kib, calls in events)
        assert largest > 2048
        assert maps == (1 if "--match-allocations" in layout else largest // 2048)


def test_packets_through_one_file(lab):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "512",
                 *ONE_FILE) as testpmd:
        testpmd.started()
        testpmd.forward(100_000)
        testpmd.quit()


@pytest.fixture
def gigantic_page():
    """A page of 1 GiB, if the kernel finds one in what 2 MiB pages leave."""
    pools = "/sys/kernel/mm/hugepages/hugepages-{}kB/nr_hugepages"
    small, large = pools.format(2048), pools.format(1 << 20)
    if not os.path.exists(large):
        pytest.skip("no pages of 1 GiB on this processor")
    with open(small, encoding="ascii") as file:
        before = file.read()
    write(small, "64")
    write(large, "1")
    with open(large, encoding="ascii") as file:
        found = int(file.read())
    if found:
        os.makedirs("/dev/hugepages1G", exist_ok=True)
        subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=1G", "none",
                        "/dev/hugepages1G"], check=True)
        yield "/dev/hugepages1G"
        subprocess.run(["umount", "/dev/hugepages1G"], check=True)
        write(large, "0")
    write(small, before)
    if not found:
        pytest.skip("the kernel has no 1 GiB in one piece: start the lab with more --mem")


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def test_pages_of_1_gib(lab, gigantic_page):
    with Testpmd(*allow(lab.NIC0), "--iova-mode=va", "-m", "1024", "--huge-dir", gigantic_page,
                 app=["--disable-device-start"]) as testpmd:
        testpmd.started()
        assert iommu_pages(lab.NIC0) == {1024 * MIB: 1}
        assert "1024 MiB of DPDK's memory mapped by 1 call(s)" in testpmd.output
        testpmd.quit()


@pytest.fixture
def few_entries():
    """VFIO's container may have 64 maps; /dev/ioasid knows no such limit."""
    path = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
    with open(path, encoding="ascii") as file:
        before = file.read()
    write(path, "64")
    yield
    write(path, before)


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


def threads(pid):
    return sorted(open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii").read().strip()
                  for tid in os.listdir(f"/proc/{pid}/task"))


def syscalls(pid, trace, seconds):
    """What all threads of a process call; not that a call was woken up to be traced."""
    with subprocess.Popen(["strace", "-f", "-q", "-o", trace, "-p", str(pid)]) as strace:
        time.sleep(seconds)
        strace.terminate()
    return set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M)) - {"restart_syscall"}


@pytest.mark.one_kernel
def test_nothing_runs_while_packets_flow(lab, tmp_path):
    """The same threads as under stock EAL, and nobody calls the kernel on our behalf."""
    seen = []
    for preload in (False, True):
        with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "512",
                     preload=preload) as testpmd:
            testpmd.started()
            testpmd.command("start tx_first")
            testpmd.forwarded(10_000)
            seen.append((threads(testpmd.pid), syscalls(testpmd.pid, tmp_path / "trace", 2)))
            testpmd.command("stop")
            testpmd.quit()
    stock, ours = seen
    print(f"stock: {stock}\nours: {ours}")
    assert ours[0] == stock[0]
    assert ours[1] <= stock[1] | {"read", "epoll_wait", "recvmsg", "accept"}
    assert "ioctl" not in ours[1]
