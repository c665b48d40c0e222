# SPDX-License-Identifier: BSD-3-Clause
"""A machine as files (DPDK_IOASID_ROOT): what dpdk-ioasid reads of sys, proc, dev and boot."""

import os
import struct
import subprocess

BRIDGE_HEADER, ENDPOINT_HEADER = 1, 0
MULTIFUNCTION = 0x80
ENDPOINT, ROOT_PORT, UPSTREAM, DOWNSTREAM, TO_PCI = 0, 4, 5, 6, 7  # what a PCI Express device is
ACS_CAPABILITY, ACS_ALL, ATS_CAPABILITY = 0x000d, 0x1d, 0x000f  # SV RR CR UF


def config_space(vendor, device, header, kind, acs, ats):
    """4 KiB, with an ACS capability if `acs`, what of it is on, is not None."""
    config = bytearray(4096)
    struct.pack_into("<HH", config, 0, vendor, device)
    struct.pack_into("<H", config, 6, 0x10)  # there is a list of capabilities …
    config[0x34] = 0x40
    struct.pack_into("<BBH", config, 0x40, 0x10, 0, kind << 4)  # … with PCI Express in it
    config[0x0e] = header
    capabilities = []
    if acs is not None:
        capabilities.append((ACS_CAPABILITY, struct.pack("<HH", ACS_ALL, acs)))
    if ats:
        capabilities.append((ATS_CAPABILITY, b""))
    for i, (number, content) in enumerate(capabilities):
        at = 0x100 + 0x20 * i
        following = at + 0x20 if i + 1 < len(capabilities) else 0
        struct.pack_into("<I", config, at, number | 1 << 16 | following << 20)
        config[at + 4:at + 4 + len(content)] = content
    return bytes(config)


def abi():
    """Of the DPDK that is built with: 23 of 22.11."""
    version = subprocess.run(["pkg-config", "--modversion", "libdpdk"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    return int(version.split(".")[0]) + 1


class FakeRoot:
    """Starts as a good machine without any device: x86, VT-d, iommufd, hugepages, DPDK, root."""

    def __init__(self, root):
        self.root = str(root)
        self.write("proc/sys/kernel/osrelease", "6.12.1-fake\n")
        self.write("proc/interrupts", "  CPU0\n 0:  1 IR-IO-APIC  2-edge  timer\n")
        self.write("proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000004000\n")
        self.write("proc/cmdline", "root=/dev/sda1 ro quiet\n")
        self.mount()
        self.write("proc/swaps", "Filename Type Size Used Priority\n")
        self.write("dev/iommu", "")
        self.write("sys/module/iommufd/parameters/allow_unsafe_interrupts", "N\n")
        self.write("sys/class/iommu/dmar0/intel-iommu/cap", "d2008c222f0606\n")
        self.write(f"usr/lib/x86_64-linux-gnu/librte_eal.so.{abi()}", "")
        self.write(f"usr/lib/x86_64-linux-gnu/librte_eal.so.{abi()}.0", "")
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

    def mount(self, *lines):
        """What is mounted: hugetlbfs, and these."""
        self.write("proc/self/mountinfo", "\n".join([
            "1 0 0:1 / / rw - tmpfs tmpfs rw",
            "31 1 0:29 / /dev/hugepages rw,relatime - hugetlbfs hugetlbfs rw,pagesize=2M",
            *lines]) + "\n")

    def hugepages(self, total, free=None):
        for directory in ("sys/devices/system/node/node0/hugepages", "sys/kernel/mm/hugepages"):
            self.write(f"{directory}/hugepages-2048kB/nr_hugepages", f"{total}\n")
            self.write(f"{directory}/hugepages-2048kB/free_hugepages",
                       f"{total if free is None else free}\n")

    # ---- devices

    def device(self, bdf, *, below="", group=None, ids=(0x8086, 0x10c9), class_code=0x020000,
               driver=None, bridge=False, acs=None, kind=None, multifunction=False, ats=False):
        """Plug in; below: the path of bridges above it, "0000:00:01.0/…"; kind: of a bridge, on
        PCI Express, by default a root port or a downstream port. Its directory."""
        real = os.path.join("sys/devices/pci0000:00", below, bdf)
        if kind is None:
            kind = ENDPOINT if not bridge else DOWNSTREAM if below else ROOT_PORT
        header = (BRIDGE_HEADER if bridge else ENDPOINT_HEADER) | MULTIFUNCTION * multifunction
        self.write(f"{real}/vendor", f"0x{ids[0]:04x}\n")
        self.write(f"{real}/device", f"0x{ids[1]:04x}\n")
        self.write(f"{real}/class", f"0x{class_code:06x}\n")
        self.write(f"{real}/numa_node", "0\n")
        self.write(f"{real}/driver_override", "(null)\n")
        self.write(f"{real}/config", config_space(*ids, header, kind, acs, ats))
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
        if driver.endswith("vfio-pci"):
            name = f"vfio{self.cdevs}"
            self.cdevs += 1
            self.child(real, f"vfio-dev/{name}", f"vfio/devices/{name}", f"244:{self.cdevs}")
            self.write(f"dev/vfio/devices/{name}", "")

    def child(self, real, path, node=None, number=None, subsystem=None):
        """What hangs on a device, "SUBSYSTEM/NAME"; or with directories before that."""
        subsystem = subsystem or path.split("/")[-2]
        name = os.path.basename(path)
        self.write(f"{real}/{path}/uevent", f"DEVNAME={node}\n" if node else "\n")
        if number:
            self.write(f"{real}/{path}/dev", f"{number}\n")
        os.makedirs(self.path("sys/class", subsystem), exist_ok=True)
        self.link(f"{real}/{path}/subsystem", f"sys/class/{subsystem}")
        self.link(f"sys/class/{subsystem}/{name}", f"{real}/{path}")

    def disk(self, real, name, number="8:0"):
        """A disk of the device; partitions and the like are disks, too."""
        self.child(real, f"block/{name}", name, number)
        os.makedirs(self.path(real, "block", name, "holders"))

    def interface(self, real, name):
        self.child(real, f"net/{name}")
        self.link(f"{real}/net/{name}/device", real)

    def vf(self, real, number, bdf):
        """A virtual function that has been plugged in."""
        self.write(f"{real}/sriov_numvfs", f"{number + 1}\n")
        self.link(f"{real}/virtfn{number}", f"sys/bus/pci/devices/{bdf}")

    def process(self, pid, name, *files):
        """A process that has these open."""
        self.write(f"proc/{pid}/comm", f"{name}\n")
        os.makedirs(self.path(f"proc/{pid}/fd"))
        for number, file in enumerate(files):
            os.symlink(file, self.path(f"proc/{pid}/fd/{number}"))
