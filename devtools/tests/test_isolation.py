# SPDX-License-Identifier: BSD-3-Clause
"""Proof with a device that really does DMA: what is isolated, and what the warning is about."""

import contextlib
import ctypes
import mmap
import os

import pytest

import pci
from edu import Edu
from iommufd import Iommufd
from rule_client import Client
from testpmd import COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

PATTERN = b"\xa5\x5a\x0f\xf0" * 16
IOVA = 0x10000000


def address(buffer):
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


@contextlib.contextmanager
def joined(lab):
    """edu in an address space of one page, which begins with the pattern: edu and the page."""
    pci.bind(lab.EDU_NIC, "vfio-pci")
    pci.bind(lab.EDU, "vfio-pci")
    page = mmap.mmap(-1, 4096)
    page[:64] = PATTERN
    with Iommufd() as iommufd:
        ioas = iommufd.ioas()
        iommufd.map(ioas, address(page), IOVA, 4096)
        iommufd.attach(iommufd.bind(lab.EDU), ioas)
        with Edu(lab.EDU) as edu:
            yield edu, page


@pytest.mark.core("isolation")
def test_mapped_lands_unmapped_does_not(lab, faults):
    with joined(lab) as (edu, page):
        edu.read_memory(IOVA, 64)
        edu.write_memory(IOVA + 1024, 64)
        assert page[1024:1024 + 64] == PATTERN
        assert not faults()
        before = page[:]
        edu.write_memory(IOVA + 8192, 64)
        assert page[:] == before
        # Whom the log names differs: the bridge speaks for the devices behind it.
        assert faults()


@pytest.fixture
def armed(lab):
    """edu holds the pattern, so that a write that lands shows, whatever edu may read later."""
    with joined(lab) as (edu, _):
        edu.read_memory(IOVA, 64)
    return lab.EDU


@pytest.fixture
def translated(lab):
    """With iommu=pt what nobody has attached reaches all memory, by physical addresses."""
    with open(f"/sys/kernel/iommu_groups/{pci.group(lab.EDU)}/type", encoding="ascii") as file:
        if file.read().strip() == "identity":
            pytest.skip("with iommu=pt a device that nobody has attached reaches all memory, by "
                        "physical addresses: nothing of it is kept out")


def last_page(pid):
    """The end of preallocated memory, which DPDK's heap has not reached: its address, which is the
    IOVA in VA mode, and where it is: file and offset."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        rows = [line.split() for line in file if "/dev/hugepages" in line]
    area, _, at, _, _, path = rows[-1]
    start, end = (int(part, 16) for part in area.split("-"))
    return end - 4096, path, int(at, 16) + end - 4096 - start


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
    start, _, _ = last_page(pid)
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


@pytest.mark.core("isolation")
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


@pytest.mark.core("isolation")
def test_refusal_keeps_it_out(lab, armed, translated, faults):
    """The default: the NIC is refused, so edu does not reach testpmd's memory."""
    pci.unbind(armed)
    with Testpmd(*allow(lab.EDU_NIC, lab.NIC0), "--iova-mode=va", "-m", "128",
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        assert reach(testpmd.pid, lab.EDU) == bytes(len(PATTERN))
        testpmd.quit()
    assert faults()


@pytest.mark.core("isolation")
def test_before_it_is_attached(lab, armed, translated, faults):
    """On vfio-pci and nobody's, as testpmd runs on another device."""
    with Testpmd(*allow(lab.NIC0), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert reach(testpmd.pid, armed) == bytes(len(PATTERN))
        testpmd.quit()
    assert faults()


@pytest.mark.core("isolation")
def test_in_another_ioasid(lab, armed, faults):
    """Attached, by another program: to what that one maps, and to nothing of testpmd's."""
    with Testpmd(*allow(lab.NIC0), *COMMON, app=NOT_STARTED) as testpmd, Iommufd() as iommufd:
        testpmd.started()
        iommufd.attach(iommufd.bind(armed), iommufd.ioas())
        assert reach(testpmd.pid, armed) == bytes(len(PATTERN))
        testpmd.quit()
    assert faults()


@pytest.mark.core("isolation")
def test_after_the_last_device_is_released(lab, armed, translated, faults):
    """The program and its memory live on."""
    with Client("member", lab.EDU_NIC, armed, eal=allow("0000:00:00.0")) as client:
        client.wait_for("released")
        client.go_on()
        client.wait_for("all released")
        assert reach(client.process.pid, armed) == bytes(len(PATTERN))
        client.go_on()
        client.end()
    assert faults()


@pytest.mark.core("isolation")
def test_after_the_program_has_died(lab, armed, translated, faults):
    """Its memory is still there, as a file of hugetlbfs that nobody has removed."""
    with Testpmd(*allow(lab.EDU_NIC, armed), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert reach(testpmd.pid, armed) == PATTERN
        start, path, offset = last_page(testpmd.pid)
        memory = Memory(testpmd.pid)
        memory.write(start, bytes(4096))
        memory.close()
        assert not faults()
        testpmd.kill()
    with Edu(armed) as edu:
        edu.write_memory(start, len(PATTERN))
    with open(path, "rb") as file:
        file = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        assert file[offset:offset + 4096] == bytes(4096)
        file.close()
    assert faults()
