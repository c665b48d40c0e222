# SPDX-License-Identifier: BSD-3-Clause
"""The processors that the machine can have: its QEMU, what it is made of, and its root.

The lab runs on amd64. For arm64 it cross-builds the kernel or takes Debian's own, and the guest's
files are Debian's packages, unpacked (devtools/cross builds ours for them).
"""

import hashlib
import os
from collections.abc import Callable
from typing import NamedTuple

from . import emulator, unpack

ARM64_SUITE = "bookworm"
ARM64_PACKAGES = """
    base-files base-passwd
    bash busybox-static coreutils dash findutils gawk grep hostname iproute2 kmod libc-bin mount
    pciutils procps sed util-linux binutils gdb-minimal strace
    dpdk dpdk-dev python3 python3-pytest python3-yaml
    libc6-dev libcmocka-dev libbsd-dev libdpdk-dev libelf-dev libjansson-dev libmount-dev
    libnuma-dev libpci-dev libudev-dev libyaml-dev
""".split()


class Architecture(NamedTuple):
    """name: as Debian has it; machine, processor: QEMU's; make, image: of the kernel's build."""

    name: str
    qemu: Callable[[], emulator.Emulator]
    machine: str
    processor: str
    console: str
    words: tuple[str, ...]      # on the kernel's command line
    make: tuple[str, ...]
    compiler: str
    image: str                  # what make is asked for …
    image_path: str             # … and where that is then
    root: Callable[[], str]     # of the guest


def arm64_root():
    """Fetched first if need be."""
    digest = hashlib.sha256(" ".join(ARM64_PACKAGES).encode()).hexdigest()[:12]
    return unpack.find(f"arm64_{ARM64_SUITE}_{digest}", ARM64_PACKAGES, [ARM64_SUITE], "arm64")


AMD64 = Architecture(
    "amd64", emulator.installed, "q35",
    # A processor that says that its string instructions are fast is believed: but emulated they go
    # byte by byte, and to clear memory (each hugepage) takes six times as long as with plain moves.
    "max,-erms,-fsrm", "ttyS0",
    # Emulation on a busy host is late for the timer's check now and then, and the kernel panics.
    # The IOMMU Debian's kernels have off unless they are asked.
    ("no_timer_check", "intel_iommu=on"),
    (), "gcc", "bzImage", "arch/x86/boot/bzImage", lambda: "/")
ARM64 = Architecture(
    "arm64", lambda: emulator.later("qemu-system-aarch64", "qemu-system-arm"), "virt,gic-version=3",
    # One without pointer authentication, which takes long to emulate.
    "neoverse-n1", "ttyAMA0",
    # Told of by a device tree the IOMMU comes late. A driver that takes a device meanwhile has it put
    # into a group of its own: the disk controller's must not come before the stub. And nobody has
    # asked for ACS yet (firmware's tables do): root ports would share the groups of what is below.
    ("initcall_blacklist=sym2_init", "pci=config_acs=11101@pci:1b36:000c"),
    ("ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-"), "aarch64-linux-gnu-gcc",
    "Image", "arch/arm64/boot/Image", arm64_root)


def busybox(architecture):
    """A static one, whatever the guest's root has."""
    return os.path.join(architecture.root(), "bin/busybox")
