# SPDX-License-Identifier: BSD-3-Clause
"""A machine as files (DPDK_IOASID_ROOT): what dpdk-ioasid reads of sys, proc, dev and boot."""

import os
import struct

BRIDGE_HEADER, ENDPOINT_HEADER = 1, 0
ACS_CAPABILITY, ACS_ON = 0x000d, 0x1d  # SV RR CR UF


def config_space(vendor, device, bridge, acs):
    """4 KiB, with an ACS capability as the only extended one if `acs` is not None."""
    config = bytearray(4096)
    struct.pack_into("<HH", config, 0, vendor, device)
    struct.pack_into("<H", config, 6, 0x10)  # there is a list of capabilities …
    config[0x34] = 0x40
    struct.pack_into("<BB", config, 0x40, 0x10, 0)  # … with PCI Express in it
    config[0x0e] = BRIDGE_HEADER if bridge else ENDPOINT_HEADER
    if acs is not None:
        struct.pack_into("<I", config, 0x100, ACS_CAPABILITY | 1 << 16)
        struct.pack_into("<HH", config, 0x104, ACS_ON, acs)
    return bytes(config)


class FakeRoot:
    """Starts as a good machine without any device: x86, VT-d, iommufd, hugepages, DPDK."""

    def __init__(self, root):
        self.root = str(root)
        self.write("proc/sys/kernel/osrelease", "6.12.1-fake\n")
        self.write("proc/interrupts", "  CPU0\n 0:  1 IR-IO-APIC  2-edge  timer\n")
        self.write("proc/self/status", "Name:\ttest\nCapEff:\t0000000000004000\n")
        self.write("proc/self/mountinfo", "1 0 0:1 / / rw - tmpfs tmpfs rw\n")
        self.write("proc/swaps", "Filename Type Size Used Priority\n")
        self.write("dev/iommu", "")
        self.write("sys/module/iommufd/parameters/allow_unsafe_interrupts", "N\n")
        self.write("sys/class/iommu/dmar0/intel-iommu/cap", "d2008c222f0606\n")
        self.write("usr/lib/x86_64-linux-gnu/librte_eal.so.23", "")
        self.write("usr/lib/x86_64-linux-gnu/librte_eal.so.23.0", "")
        self.hugepages(512)
        for directory in ("net", "block"):
            os.makedirs(self.path("sys/class", directory))
        os.makedirs(self.path("sys/bus/pci/devices"))
        os.makedirs(self.path("sys/bus/pci/drivers/vfio-pci"))
        self.write("sys/bus/pci/drivers_probe", "")
        self.cdevs = 0

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def write(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def remove(self, name):
        os.unlink(self.path(name))

    def link(self, name, target):
        """A relative symbolic link, as sysfs has them; both below the root."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(os.path.relpath(self.path(target), os.path.dirname(path)), path)

    def hugepages(self, total):
        for directory in ("sys/devices/system/node/node0/hugepages", "sys/kernel/mm/hugepages"):
            self.write(f"{directory}/hugepages-2048kB/nr_hugepages", f"{total}\n")
            self.write(f"{directory}/hugepages-2048kB/free_hugepages", f"{total}\n")

    # ---- devices

    def device(self, bdf, *, below="", group=None, ids=(0x8086, 0x10c9), class_code=0x020000,
               driver=None, bridge=False, acs=None):
        """Plug in; below: the path of bridges above it, "0000:00:01.0/…". Its directory."""
        real = os.path.join("sys/devices/pci0000:00", below, bdf)
        self.write(f"{real}/vendor", f"0x{ids[0]:04x}\n")
        self.write(f"{real}/device", f"0x{ids[1]:04x}\n")
        self.write(f"{real}/class", f"0x{class_code:06x}\n")
        self.write(f"{real}/numa_node", "0\n")
        self.write(f"{real}/driver_override", "(null)\n")
        self.write(f"{real}/config", config_space(*ids, bridge, acs))
        self.link(f"sys/bus/pci/devices/{bdf}", real)
        if group is not None:
            self.join_group(bdf, real, group)
        if driver:
            self.bind(bdf, real, driver)
        return real

    def join_group(self, bdf, real, number):
        group = f"sys/kernel/iommu_groups/{number}"
        self.link(f"{group}/devices/{bdf}", real)
        self.link(f"{real}/iommu_group", group)
        self.link(f"{real}/iommu", "sys/class/iommu/dmar0")
        self.write(f"{group}/type", "DMA-FQ\n")
        self.write(f"{group}/reserved_regions", "0x00000000fee00000 0x00000000feefffff msi\n")

    def bind(self, bdf, real, driver):
        self.write(f"sys/bus/pci/drivers/{driver}/unbind", "")
        self.link(f"{real}/driver", f"sys/bus/pci/drivers/{driver}")
        if driver == "vfio-pci":
            name = f"vfio{self.cdevs}"
            self.cdevs += 1
            self.write(f"{real}/vfio-dev/{name}/dev", f"244:{self.cdevs}\n")
            self.link(f"sys/class/vfio-dev/{name}", f"{real}/vfio-dev/{name}")
            self.write(f"dev/vfio/devices/{name}", "")

    def disk(self, real, name, number="8:0"):
        """A disk of the device; partitions and the like are disks, too."""
        self.write(f"{real}/block/{name}/dev", f"{number}\n")
        os.makedirs(self.path(real, "block", name, "holders"))
        self.link(f"sys/class/block/{name}", f"{real}/block/{name}")

    def interface(self, real, name):
        os.makedirs(self.path(real, "net", name))
        self.link(f"sys/class/net/{name}", f"{real}/net/{name}")
