# SPDX-License-Identifier: BSD-3-Clause
"""What needs a machine of its own: an IOMMU that translates 39 bits, and two 1 GiB hugepages.
devtools/test boots it for this directory."""

import os
import re

import pytest

import memory_client
from testpmd import allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

GIGANTIC = "/dev/hugepages1G"


# EAL takes the largest pages that it finds.
SMALL_PAGES = ["--huge-dir", "/dev/hugepages"]


def test_memory_beyond_the_aperture(lab):
    """Refused before it is attached; with the advice of the message it works."""
    high = ["--base-virtaddr=0x10000000000"]
    output = memory_client.run([*allow(lab.NIC0), "-m", "64", *SMALL_PAGES, *high],
                               [lab.NIC0, "reserve"], status=1)
    assert re.search(r"DPDK's memory at IOVA 0x100\w{8}-0x100\w{8} is out of its reach", output)
    assert "Its IOMMU can address: 0x0-0xfedfffff, 0xfef00000-0x7fffffffff" in output
    assert "device id" not in output  # that it is attached
    [base] = re.findall(r"Way out: start with (--base-virtaddr=0x\w+)", output)
    output = memory_client.run([*allow(lab.NIC0), "-m", "64", *SMALL_PAGES, base],
                               [lab.NIC0, "reserve"])
    assert "64 MiB reserved" in output


def test_window_beyond_the_aperture(lab):
    output = memory_client.run(
        [*allow(lab.NIC0), *SMALL_PAGES, "--ioasid-iova-window", "0x7f00000000:64G"],
        [lab.NIC0, "reserve"], status=1)
    assert "within --ioasid-iova-window: 0x7f00000000-0x7fffffffff" in output


def test_memory_that_grows_out_of_the_aperture(lab):
    """It begins 64 MiB below the end. Intel's width EAL knows itself, and asks nobody else."""
    output = memory_client.run(
        [*allow(lab.NIC0), *SMALL_PAGES, "--base-virtaddr=0x7ffc000000"],
        [lab.NIC0, "refuse", "4"])
    assert re.search(r"refused after \d+ MiB more than 2 MiB", output)


def test_gigantic_pages(lab):
    """One entry of the IOMMU's table for each."""
    output = memory_client.run([*allow(lab.NIC0), "--huge-dir", GIGANTIC],
                               [lab.NIC0, "grow", "700,700"])
    assert "grown from 1024 to 2048 MiB and shrunk again, IOMMU pages of 1048576 KiB" in output
    for name in os.listdir(GIGANTIC):
        os.unlink(os.path.join(GIGANTIC, name))
