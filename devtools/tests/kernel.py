# SPDX-License-Identifier: BSD-3-Clause
"""What the kernel tells: its log, DMA faults, memory, the files of a process."""

import os
import re
import subprocess
import time


def log():
    return subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout


# How the drivers of VT-d, AMD's IOMMU, virtio-iommu and SMMUv3 tell of a DMA fault.
FAULT = re.compile(r"fault addr|IO_PAGE_FAULT|fault from EP|arm-smmu-v3 .*event 0x10")

WRONG = re.compile(r"WARNING:|BUG:|Oops|refcount|UBSAN|call trace", re.I)

# Seconds: of more than ten faults in these the kernel tells no more.
FAULT_INTERVAL = 5


def dma_faults():
    return [line for line in log().splitlines() if FAULT.search(line)]


def forget_dma_faults():
    """From now on the kernel tells of new ones, however many there have been."""
    for line in dma_faults()[-1:]:
        ago = time.monotonic() - float(re.match(r"\[ *([0-9.]+)\]", line)[1])
        time.sleep(max(0, FAULT_INTERVAL + 1 - ago))
    subprocess.run(["dmesg", "--clear"], check=True)


def complaints():
    """What of its log speaks of a fault of its own."""
    return WRONG.findall(log())


def open_files(pid):
    try:
        return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return []


def free_hugepages():
    for name in os.listdir("/dev/hugepages"):
        os.unlink("/dev/hugepages/" + name)
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("HugePages_Free")).split()[1])


def pages_pinned():
    """In the whole machine."""
    with open("/proc/vmstat", encoding="ascii") as file:
        pages = dict(re.findall(r"^nr_foll_pin_(\w+) (\d+)", file.read(), re.MULTILINE))
    return int(pages["acquired"]) - int(pages["released"])
