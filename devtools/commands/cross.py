# SPDX-License-Identifier: BSD-3-Clause
"""Builds everything but the guard for arm64, for the packages that are the root of the lab's Arm
machine:

    devtools/cross
    DPDK_IOASID_PLUGIN=$PWD/build/test-arm64/drivers/iommu/ioasid/librte_iommu_ioasid.so \\
        devtools/lab run --iommu smmuv3 -- /usr/bin/python3 -m pytest devtools/tests/test_group.py
"""

import argparse
import os
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "devtools"))

from labvm.architecture import ARM64  # noqa: E402 (not beside us)
from labvm.common import LabError, say  # noqa: E402

DIRECTORY = "build/test-arm64"
TRIPLET = "aarch64-linux-gnu"
CROSS_FILE = """\
[binaries]
c = ['{triplet}-gcc', '--sysroot={root}']
ar = '{triplet}-ar'
objcopy = '{triplet}-objcopy'
strip = '{triplet}-strip'
pkgconfig = 'pkg-config'

[properties]
sys_root = '{root}'
pkg_config_libdir = ['{root}/usr/lib/{triplet}/pkgconfig', '{root}/usr/share/pkgconfig']

[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
"""


def build():
    """0, or the status of what failed and has said why."""
    place = os.path.join(TOP, DIRECTORY)
    path = os.path.join(place, "arm64.ini")
    wanted = CROSS_FILE.format(triplet=TRIPLET, root=ARM64.root())
    if not os.path.exists(os.path.join(place, "build.ninja")) or read(path) != wanted:
        shutil.rmtree(place, ignore_errors=True)  # for other packages, or half made
        os.makedirs(place)
        with open(path, "w", encoding="utf-8") as file:
            file.write(wanted)
        # The guard: libbpf is not among those packages.
        status = ended("meson", "setup", place, "--cross-file", path, "--werror",
                       "-Dguard=disabled", "-Ddocs=disabled")
        if status != 0:
            return status
    return ended("ninja", "-C", place)


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def ended(*command):
    """Its status; what it printed is told where it failed."""
    result = subprocess.run(command, cwd=TOP, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if result.returncode:
        print(result.stdout, file=sys.stderr)
    return result.returncode


def main():
    argparse.ArgumentParser(prog="devtools/cross", description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        status = build()
    except LabError as error:
        say(error)
        return error.status
    if status == 0:
        print(os.path.join(DIRECTORY, "drivers/iommu/ioasid/librte_iommu_ioasid.so"))
    return status
