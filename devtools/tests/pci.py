# SPDX-License-Identifier: BSD-3-Clause
"""PCI devices through sysfs."""

import contextlib
import os
import subprocess

DEVICES = "/sys/bus/pci/devices"


def path(bdf, name=""):
    return os.path.join(DEVICES, bdf, name)


def read(bdf, name):
    with open(path(bdf, name), encoding="ascii") as file:
        return file.read().strip()


def write(name, text):
    with open(name, "w", encoding="ascii") as file:
        file.write(text)


def driver(bdf):
    link = path(bdf, "driver")
    return os.path.basename(os.readlink(link)) if os.path.exists(link) else None


def unbind(bdf):
    if driver(bdf):
        write(path(bdf, "driver/unbind"), bdf)
    write(path(bdf, "driver_override"), "\n")
    assert driver(bdf) is None


def bind(bdf, name):
    """Bind to a driver, from whatever it is bound to."""
    if driver(bdf) == name:
        return
    load(name)
    unbind(bdf)
    write(path(bdf, "driver_override"), name)
    write("/sys/bus/pci/drivers_probe", bdf)
    assert driver(bdf) == name, f"{bdf} is on {driver(bdf)}, not {name}"


def load(name):
    """A driver that is a module of this kernel: nothing in the lab loads one by itself."""
    if not os.path.exists(f"/sys/bus/pci/drivers/{name}"):
        subprocess.run(["modprobe", name], check=True)


def come_to_group(bdf):
    """Some of the kernel's IOMMU drivers put a device into its group only when a driver asks for it.
    This one may not have it, if the group is in use, and of that the kernel tells nothing."""
    if os.path.exists(path(bdf, "iommu_group")):
        return
    write(path(bdf, "driver_override"), "igb")
    with contextlib.suppress(OSError):
        write("/sys/bus/pci/drivers_probe", bdf)
    assert os.path.exists(path(bdf, "iommu_group"))


def group(bdf):
    return int(os.path.basename(os.readlink(path(bdf, "iommu_group"))))


def members(bdf):
    return sorted(os.listdir(path(bdf, "iommu_group/devices")))


def others_of_group(*bdfs):
    """Who else is in the group that all of these are in."""
    found = members(bdfs[0])
    assert set(bdfs) <= set(found)
    return [bdf for bdf in found if bdf not in bdfs]


def find(vendor, device):
    """All BDFs with these IDs, as hexadecimal text."""
    return sorted(bdf for bdf in os.listdir(DEVICES)
                  if read(bdf, "vendor") == "0x" + vendor and read(bdf, "device") == "0x" + device)


def cdev(bdf):
    return "/dev/vfio/devices/" + os.listdir(path(bdf, "vfio-dev"))[0]


def set_bus_master(bdf, on):
    with open(path(bdf, "config"), "r+b", buffering=0) as config:
        config.seek(4)
        command = int.from_bytes(config.read(2), "little") & ~6
        config.seek(4)
        config.write((command | (6 if on else 0)).to_bytes(2, "little"))
