# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's memory comes and goes: what a device can reach is that memory, at each step. And
memory that it could not reach is refused."""

import os
import re
import subprocess
import tempfile

import pytest

import memory_client
import pci
import plugin
from testpmd import Testpmd, allow

pytestmark = [pytest.mark.usefixtures("no_faults", "no_leftovers"), pytest.mark.every_dpdk]

# Small, one page exactly with what EAL adds, several pages.
SIZES = "1,2,3,20,100"


def test_default_layout(lab):
    """Also memory that is not EAL's: on a heap of the application's, and registered."""
    output = memory_client.run(allow(lab.NIC0, lab.NIC1),
                               [lab.NIC0, "grow", SIZES, "heap", "0", "heap", "0x70000000",
                                "extmem"])
    assert re.search(r"grown from 2 to \d+ MiB and shrunk again, IOMMU pages of 2048 KiB", output)
    assert output.count("external memory added and removed") == 2
    assert "packets in external memory" in output
    # a part of the registered memory: refused, with the map's bounds
    assert re.search(r"unmap of IOVA (0x\w+)-0x\w+ would cut the map \1-0x\w+", output)


@pytest.mark.one_kernel
@pytest.mark.parametrize("layout", ["--single-file-segments", "--in-memory", "--match-allocations",
                                    "--iova-mode=pa"])
def test_layout(lab, layout):
    output = memory_client.run([*allow(lab.NIC0), layout], [lab.NIC0, "grow", SIZES])
    assert "IOMMU pages of 2048 KiB" in output


@pytest.mark.one_kernel
@pytest.mark.parametrize("layout,page", [("--legacy-mem", "2048"), ("--no-huge", "4|2048")])
def test_layout_that_is_never_changed(lab, layout, page):
    """Without hugepages: where the pages that the kernel gives lie side by side, IOMMUs take them as
    one, which is a matter of chance."""
    output = memory_client.run([*allow(lab.NIC0), "-m", "64", layout], [lab.NIC0, "reserve"])
    assert re.search(rf"64 MiB reserved, IOMMU pages of ({page}) KiB", output)
    assert "64 MiB of DPDK's memory mapped by" in output


@pytest.mark.one_kernel
def test_external_heap_of_testpmd(lab):
    """Its packets are in external memory that is added once the ports are there."""
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va",
                 app=["--mp-alloc=xmem"]) as testpmd:
        testpmd.started()
        testpmd.forward(10_000)
        testpmd.quit()


# ---- what cannot be mapped is not handed out

REFUSED = r"KiB of new memory at 0x\w+ refused, devices cannot reach it: "


def test_window_is_full(lab):
    """Refused each time, and afterwards there is as much as before."""
    output = memory_client.run(
        [*allow(lab.NIC0), "--ioasid-iova-window", "4G:128M"],
        [lab.NIC0, "refuse", "4", "heap", "-0x800000000", "grow", "1,20"])
    assert re.search(r"refused after \d+ MiB more than 2 MiB", output)
    assert re.search(REFUSED + r"IOVA 0x\w+-0x\w+ is not within the IOVA range "
                     r"0x100000000-0x107ffffff", output)
    assert "external memory refused" in output


@pytest.fixture
def nobody(lab):
    """What EAL needs in its environment as a user who has been given the nodes and hugepages."""
    given = (pci.cdev(lab.NIC0), "/dev/iommu", tempfile.mkdtemp(dir="/run"))
    for path in given:
        os.chown(path, memory_client.NOBODY, memory_client.NOBODY)
    os.chmod("/dev/hugepages", 0o1777)
    subprocess.run(["mount", "-o", "remount,mode=755", "/sys/kernel/debug"], check=True)
    yield {"XDG_RUNTIME_DIR": given[-1]}
    for path in given:
        os.chown(path, 0, 0)


def test_locked_memory_is_used_up(lab, nobody):
    """Somebody without CAP_IPC_LOCK; as root there is no limit."""
    output = memory_client.run(allow(lab.NIC0), [lab.NIC0, "refuse", "4", "grow", "1,20"],
                               wrapper=memory_client.as_nobody(64 << 20), env=nobody)
    assert re.search(REFUSED + r".*RLIMIT_MEMLOCK is 65536 KiB", output)
    assert "refused after" in output
    # Not even what it starts with.
    output = memory_client.run([*allow(lab.NIC0), "-m", "64"], [lab.NIC0, "grow", "1"], status=1,
                               wrapper=memory_client.as_nobody(32 << 20), env=nobody)
    assert "at least 65536 KiB needed, RLIMIT_MEMLOCK is 32768 KiB" in output


@pytest.fixture
def fault_injection():
    """Each allocation in the kernel may fail when it is asked for by fail-nth."""
    for kind in ("failslab", "fail_page_alloc"):
        pci.write(f"/sys/kernel/debug/{kind}/ignore-gfp-wait", "N")
    pci.write("/sys/kernel/debug/fail_page_alloc/min-order", "0")
    pci.write("/sys/kernel/debug/fail_page_alloc/verbose", "0")
    pci.write("/sys/kernel/debug/failslab/verbose", "0")


def test_each_failure_in_the_kernel(lab, fault_injection):
    """Of every call on the way, the plugin's and EAL's: granted or refused, never in between."""
    output = memory_client.run(allow(lab.NIC0), [lab.NIC0, "inject", "grow", "20"])
    assert re.search(r"of \d+ failures \d+ were refusals", output)
    assert re.search(REFUSED + r".*Cannot allocate memory", output)


@pytest.mark.one_kernel
def test_secondary_asks_for_too_much(lab):
    """The primary allocates for it, and takes back what could not be mapped."""
    eal = allow(lab.NIC0)
    args = memory_client.command([*eal, "--ioasid-iova-window", "4G:128M"], [lab.NIC0, "wait"])
    with subprocess.Popen(args, env=plugin.environment(), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as primary:
        try:
            for line in primary.stdout:
                print(line, end="")
                if line == "waiting\n":
                    break
            output = memory_client.run([*eal, "--proc-type=secondary"], [lab.NIC0, "ask", "200"])
            assert "8 MiB granted, 200 MiB refused" in output
            output, _ = primary.communicate(timeout=60)
        finally:
            primary.kill()
        print(output)
        assert primary.returncode == 0
        assert re.search(REFUSED, output)


# ---- where DPDK's memory is does not suit the device

def fits_after_advice(bdf, eal, *whys):
    """Refused before anything is attached; with the address that the message names it works."""
    output = memory_client.run([*allow(bdf), "-m", "64", *eal], [bdf, "reserve"], status=1)
    for why in whys:
        assert why in output
    assert "device id" not in output  # that it is attached
    [base] = re.findall(r"Way out: start with --base-virtaddr=(0x\w+)", output)
    eal = [arg for arg in eal if "virtaddr" not in arg]
    output = memory_client.run([*allow(bdf), "-m", "64", *eal, f"--base-virtaddr={base}"],
                               [bdf, "reserve"])
    assert "64 MiB reserved" in output


@pytest.mark.one_kernel
def test_memory_outside_of_the_window(lab):
    fits_after_advice(lab.NIC0, ["--ioasid-iova-window", "0x8000000000:1G"],
                      "refused: DPDK's memory at IOVA 0x100200000-0x1041fffff is out of its reach",
                      "within --ioasid-iova-window: 0x8000000000-0x803fffffff")


@pytest.mark.one_kernel
def test_window_that_cannot_be(lab):
    """Too small for what is wanted; and partly reserved by the device (MSI)."""
    output = memory_client.run(
        [*allow(lab.NIC0), "-m", "64", "--ioasid-iova-window", "4G:16M"], [lab.NIC0, "reserve"],
        status=1)
    assert "no range has room for the 64 MiB" in output
    output = memory_client.run(allow(lab.NIC0), [lab.NIC0, "reserve"], status=1,
                               env={"DPDK_IOASID_OPTS": "--ioasid-iova-window 0:1024G"})
    assert "an IOVA range is promised, at addresses that its IOMMU reserves" in output
