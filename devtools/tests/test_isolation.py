# SPDX-License-Identifier: BSD-3-Clause
"""Proof with a device that really does DMA: what is isolated, and what the warning is about."""

import ctypes
import mmap
import os

import pytest

import pci
from edu import Edu
from iommufd import Iommufd
from testpmd import NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

PATTERN = b"\xa5\x5a\x0f\xf0" * 16
IOVA = 0x10000000


def address(buffer):
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def test_mapped_lands_unmapped_does_not(lab, faults):
    """edu joins an address space of one page."""
    pci.bind(lab.EDU_NIC, "vfio-pci")
    pci.bind(lab.EDU, "vfio-pci")
    page = mmap.mmap(-1, 4096)
    page[:64] = PATTERN
    with Iommufd() as iommufd:
        ioas = iommufd.ioas()
        iommufd.map(ioas, address(page), IOVA, 4096)
        iommufd.attach(iommufd.bind(lab.EDU), ioas)
        with Edu(lab.EDU) as edu:
            edu.read_memory(IOVA, 64)
            edu.write_memory(IOVA + 1024, 64)
            assert page[1024:1024 + 64] == PATTERN
            assert not faults()
            before = page[:]
            edu.write_memory(IOVA + 8192, 64)
            assert page[:] == before
            # Whom the log names differs: the bridge speaks for the devices behind it.
            assert faults()


def hugepages(pid):
    """(start, end) of the process's hugepage mappings, which are its IOVAs in VA mode."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        rows = [line.split() for line in file if "/dev/hugepages" in line]
    return [tuple(int(part, 16) for part in row[0].split("-")) for row in rows]


class Memory:
    """Another process's memory, as root sees it."""

    def __init__(self, pid):
        self.fd = os.open(f"/proc/{pid}/mem", os.O_RDWR)

    def read(self, at, length):
        return os.pread(self.fd, length, at)

    def write(self, at, data):
        assert os.pwrite(self.fd, data, at) == len(data)

    def close(self):
        os.close(self.fd)


def reach(pid, edu_bdf):
    """Let edu copy inside the process's memory: what stands there afterwards."""
    # The end of preallocated memory, which testpmd's heap has not reached.
    start = max(end for _, end in hugepages(pid)) - 4096
    memory = Memory(pid)
    try:
        memory.write(start, PATTERN)
        memory.write(start + 1024, bytes(len(PATTERN)))
        with Edu(edu_bdf) as edu:
            edu.read_memory(start, len(PATTERN))
            edu.write_memory(start + 1024, len(PATTERN))
        return memory.read(start + 1024, len(PATTERN))
    finally:
        memory.close()


def test_unjoined_member_reaches_our_memory(lab, faults):
    """The risk: edu, not even bound to a driver, in the group of testpmd's NIC."""
    pci.bind(lab.EDU_NIC, "vfio-pci")
    with Testpmd(*allow(lab.EDU_NIC), "--iova-mode=va", "-m", "128", "--allow-insecure-vfio",
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert f"these PCI BDFs are also at risk: [{lab.EDU}]" in testpmd.output
        assert reach(testpmd.pid, lab.EDU) == PATTERN
        testpmd.quit()
    assert not faults()


def test_refusal_keeps_it_out(lab, faults):
    """The default: the NIC is refused, so edu does not reach testpmd's memory."""
    pci.bind(lab.EDU_NIC, "vfio-pci")
    with Testpmd(*allow(lab.EDU_NIC, lab.NIC0), "--iova-mode=va", "-m", "128",
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        assert reach(testpmd.pid, lab.EDU) == bytes(len(PATTERN))
        testpmd.quit()
    assert faults()
