# SPDX-License-Identifier: BSD-3-Clause
"""The kernels that the machine can have, by name: those that the lab builds, and Debian's own."""

import os
import subprocess
from typing import NamedTuple

from . import built, packaged
from .common import LabError

# What the guest's files need, where it is not built in. All else guest/main loads, as a user does.
START = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")

NAMES = (*built.KERNELS, *packaged.KERNELS)


class Kernel(NamedTuple):
    """An image, and for one with modules the directory that /lib/modules is to be."""

    image: str
    modules: str | None = None

    def release(self):
        """As uname has it: the modules' directory is called so."""
        [name] = os.listdir(self.modules)
        return name


def find(name, architecture):
    """Built or fetched first if need be."""
    if name not in packaged.KERNELS:
        return Kernel(*built.find(name, architecture))
    return Kernel(*packaged.find(name, architecture))


def start_modules(kernel, iommu):
    """(name, content) of the modules that the guest loads first, in their order."""
    if not kernel.modules:
        return []
    release = kernel.release()
    # Devices behind a virtio IOMMU wait for its driver.
    names = [*(["virtio_iommu"] if iommu == "virtio" else []), *START]
    paths = [path for module in names for path in dependencies(kernel.modules, release, module)]
    return [(os.path.basename(path).split(".")[0], unpacked(path))
            for path in dict.fromkeys(paths)]


def dependencies(modules, release, module):
    """The files to insert for a module, itself the last; none if it is built in."""
    base = os.path.dirname(os.path.dirname(modules))
    result = subprocess.run(["modprobe", "-d", base, "-S", release, "--show-depends", module],
                            text=True, capture_output=True, check=False,
                            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})
    if result.returncode:
        raise LabError(f"the kernel {release} has no module {module}: {result.stderr.strip()}")
    return [line.split()[1] for line in result.stdout.splitlines() if line.startswith("insmod ")]


def unpacked(path):
    """Its content: busybox's insmod takes no packed ones."""
    if path.endswith(".xz"):
        return subprocess.run(["xz", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
    with open(path, "rb") as file:
        return file.read()
