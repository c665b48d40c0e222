# SPDX-License-Identifier: BSD-3-Clause
"""The QEMUs that the lab runs: this machine's own, and where that is too old for something a later
Debian's, which runs from the cache with libraries of its own."""

import glob
import os
import subprocess
from typing import NamedTuple

from . import unpack
from .common import LabError

SUITES = ("trixie", "trixie-backports")


class Emulator(NamedTuple):
    """A QEMU: what its command line begins with."""

    command: tuple[str, ...]

    def output(self, *args):
        try:
            return subprocess.run([*self.command, *args], capture_output=True, text=True,
                                  check=False).stdout
        except FileNotFoundError as error:
            raise LabError(f"{self.command[0]} is not installed: run devtools/setup") from error

    def version(self):
        return self.output("--version").splitlines()[0]

    def has(self, device, word):
        return word in self.output("-device", f"{device},help")


def installed():
    return Emulator(("qemu-system-x86_64",))


def later(program="qemu-system-x86_64", package="qemu-system-x86"):
    """Fetched first if need be. Run by the loader that came with it: neither its libraries nor its
    data are where it looks for them by itself. Unlike in a chroot, paths are ours."""
    root = unpack.find(f"{package}_{SUITES[-1]}", [package], SUITES)
    [loader] = glob.glob(os.path.join(root, "usr/lib64/ld-linux-*"))
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    data = [word for name in ("qemu", "seabios")
            for word in ("-L", os.path.join(root, "usr/share", name))]
    return Emulator(("env", f"QEMU_MODULE_DIR={os.path.join(libraries, 'qemu')}",
                     loader, "--library-path", libraries, os.path.join(root, "usr/bin", program),
                     *data))
