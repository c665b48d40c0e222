# SPDX-License-Identifier: BSD-3-Clause
"""Debian's QEMU under the guard: it attaches one device after another."""

import subprocess

import pytest

import pci
import plugin
from programs import HAS_CDEVS

WAYS = [pytest.param("", id="group")]
if HAS_CDEVS:
    WAYS.append(pytest.param(",iommufd=iommufd0", id="cdev"))


def qemu(way, *bdfs):
    """It is started with the devices, and asked to end at once; what it printed."""
    devices = [word for bdf in bdfs
               for word in ("-device", f"vfio-pci,host={bdf},rombar=0{way}")]
    if way:
        devices = ["-object", "iommufd,id=iommufd0", *devices]
    result = subprocess.run(["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-m", "64M",
                             "-nodefaults", "-display", "none", "-S", "-monitor", "stdio",
                             *devices], input="quit\n", text=True, check=False,
                            env=plugin.environment(preload=False), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=120)
    print(result.stdout)
    return result


@pytest.mark.parametrize("way", WAYS)
def test_one_named(lab, guard, way):
    result = qemu(way, lab.GROUP_NIC)
    assert result.returncode != 0
    assert "Operation not permitted" in result.stdout
    [record] = guard.records()
    assert record["comm"] == "qemu-system-x86" and record["members"] == [lab.GROUP_HD]


@pytest.mark.parametrize("way", WAYS)
def test_both_named(lab, guard, way):
    """Each is on vfio-pci, so nobody else can open one while the first is attached alone."""
    pci.bind(lab.GROUP_HD, "vfio-pci")
    result = qemu(way, lab.GROUP_NIC, lab.GROUP_HD)
    assert result.returncode == 0
    assert guard.status()["refused"] == 0
