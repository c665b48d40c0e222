# SPDX-License-Identifier: BSD-3-Clause
"""The emulated machine, as arguments for QEMU.

Always software emulation: a /dev/kvm that opens may still not work (nested machines), and the
emulated devices and IOMMU, which are what is tested, are the same without it.
"""

import os
from typing import NamedTuple

from . import emulator
from .architecture import AMD64, ARM64, Architecture
from .common import CHECKOUT, LabError, available_memory, mebibytes

# Slots on the root bus. guest/main finds the devices behind them by these numbers.
SLOT_NIC0, SLOT_NIC1 = "10", "11"
SLOT_GROUP, SLOT_EDU = "12", "13"
SLOT_HOTPLUG0, SLOT_HOTPLUG1 = "14", "15"
SLOT_IOMMU, SLOT_SERIAL, SLOT_ROOT, SLOT_CHECKOUT = "16", "18", "19", "1a"
SLOT_MODULES = "1e"


def arguments(options, kernel, initrd, log, ports):
    """QEMU's command line. kernel: labvm.kernel's; ports: name of a virtio-serial port -> fd of a
    connected socket."""
    iommu = IOMMUS[options.iommu]
    return [
        *iommu.qemu().command,
        "-M", iommu.architecture.machine, "-cpu", iommu.architecture.processor,
        "-accel", accelerator(options.cpus),
        "-smp", str(options.cpus), "-m", options.mem,
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        # Appended to, since QEMU's own complaints go there too.
        "-chardev", f"file,id=log,path={escaped(log)},append=on", "-serial", "chardev:log",
        "-kernel", kernel.image, "-initrd", initrd, "-append", command_line(options, iommu),
        "-device", f"{iommu.device},{iommu.properties}",
        *files(options.root, kernel.modules),
        *serial_ports(ports),
        *cabled_nics(),
        *shared_groups(iommu),
        *free_ports(),
        *options.qemu_arg,
    ]


def accelerator(cpus):
    # With more vCPUs than host cores thread=multi loses timers now and then: boots hang. (The
    # cores that we may use: under taskset they are fewer.)
    return f"tcg,thread={'multi' if cpus <= len(os.sched_getaffinity(0)) else 'single'}"


def command_line(options, iommu):
    words = [
        f"console={iommu.architecture.console}", "panic=-1", *iommu.architecture.words,
        # The stub comes first and keeps the kernel's own drivers off until guest/main lets go:
        # igb takes a second for each NIC, and the disk controller's driver floods the log, since
        # the emulated controller fetches its scripts from its own BAR through the IOMMU. (A test
        # that wants it held does better with its group's type set to identity.)
        "pci-stub.ids=8086:10c9,1000:0012",
        # Behind a virtio IOMMU, which comes late, that driver gets in all the same: at least
        # it need not look for disks.
        "scsi_mod.scan=none",
        *options.append,
    ]
    return " ".join(words)


# ---- IOMMUs

class Iommu(NamedTuple):
    """What --iommu means."""

    device: str
    properties: str
    newest: str  # of the properties, whether this QEMU knows it
    architecture: Architecture = AMD64
    later_qemu: bool = False
    behind_bridge: bool = True  # whether it translates for what is behind a PCI bridge

    def qemu(self):
        return emulator.later() if self.later_qemu else self.architecture.qemu()


IOMMUS = {
    "intel": Iommu("intel-iommu", "intremap=on,aw-bits=48", "aw-bits"),
    "intel-39": Iommu("intel-iommu", "intremap=on,aw-bits=39", "aw-bits"),
    # Behind a PCI bridge devices do no DMA: Linux 7.3 makes no context entry for the bridge's
    # address, which stands for theirs.
    "intel-scalable": Iommu("intel-iommu", "intremap=on,aw-bits=48,x-scalable-mode=on",
                            "x-scalable-mode", behind_bridge=False),
    "intel-first-stage": Iommu("intel-iommu",
                               "intremap=on,aw-bits=48,x-scalable-mode=on,x-flts=on", "x-flts",
                               behind_bridge=False),
    # It fails for what is behind a PCI bridge: Linux asks for the device's own address and for the
    # bridge's, QEMU knows only the latter.
    "virtio": Iommu("virtio-iommu-pci", f"addr={SLOT_IOMMU}", "addr", behind_bridge=False),
    # Without dma-remap it does not translate for VFIO's devices.
    "amd": Iommu("amd-iommu", "intremap=on,dma-remap=on", "dma-remap",
                 later_qemu=True),
    # For what is behind a PCI bridge: as virtio.
    "smmuv3": Iommu("arm-smmuv3", "primary-bus=pcie.0", "primary-bus", ARM64, behind_bridge=False),
}


def check(options):
    """Said before a kernel is built, and better than QEMU says it."""
    need_memory(options)
    iommu = IOMMUS[options.iommu]
    qemu = iommu.qemu()
    for device, word in (("igb", "romfile"), (iommu.device, iommu.newest)):
        if not qemu.has(device, word):
            raise LabError(f"{qemu.version()} has no {device} with {word}: run devtools/setup")


def need_memory(options):
    """Else the machine would be killed in the middle."""
    needed, available = mebibytes(options.mem), available_memory() >> 20
    if available < needed:
        raise LabError(f"a machine of {needed} MiB needs as much memory, {available} MiB are "
                       "available: end other programs, or give it less by --mem (1G and more)")


# ---- files and ports

def files(root, modules):
    return [*share("root", root, SLOT_ROOT), *share("checkout", CHECKOUT, SLOT_CHECKOUT),
            *(share("modules", modules, SLOT_MODULES) if modules else [])]


def share(tag, directory, slot):
    return ["-fsdev", f"local,id={tag},path={escaped(directory)},security_model=none,"
                      "readonly=on,multidevs=remap",
            "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag},addr={slot}"]


def serial_ports(ports):
    args = ["-device", f"virtio-serial-pci,id=serial,addr={SLOT_SERIAL}"]
    for name, fd in ports.items():
        args += ["-chardev", f"socket,id={name},fd={fd}"]
        # Port 0 is reserved for a console, so the console comes first.
        if name == "lab.console":
            args += ["-device", f"virtconsole,bus=serial.0,nr=0,chardev={name}"]
        elif name == "lab.monitor":
            args += ["-mon", f"chardev={name},mode=control"]
        else:
            args += ["-device", f"virtserialport,bus=serial.0,chardev={name},name={name}"]
    return args


def escaped(path):
    """QEMU takes a comma for the end of a value unless it is doubled."""
    return path.replace(",", ",,")


# ---- devices under test

def cabled_nics():
    """Two NICs, each alone in its group, one cable between them."""
    return [
        *root_port("port-nic0", SLOT_NIC0), *nic("nic0", "igb", "port-nic0", hub=0),
        *root_port("port-nic1", SLOT_NIC1), *nic("nic1", "igb", "port-nic1", hub=0),
    ]


def shared_groups(iommu):
    return [
        *shared_group("bridge-group", SLOT_GROUP, iommu, 1, "group-nic", "lsi53c895a,id=group-hd"),
        # Its own 28 bits would keep it from most addresses, and so would prove nothing.
        *shared_group("bridge-edu", SLOT_EDU, iommu, 1, "edu-nic",
                      "edu,id=edu,dma_mask=0xffffffffffffffff"),
    ]


def shared_group(bus, slot, iommu, hub, nic_name, other):
    """A NIC and another device in one group."""
    if not iommu.behind_bridge:
        # Two functions of one card share a group too, for want of ACS. Each says that it is one of
        # several, as real ones do: else Linux, when it finds one anew, gives it a group of its own.
        return [*root_port(bus, slot),
                *nic(nic_name, "e1000", bus, hub, "0.0,multifunction=on"),
                "-device", f"{other},bus={bus},addr=0.1,multifunction=on"]
    return ["-device", f"pcie-pci-bridge,id={bus},addr={slot}",
            *nic(nic_name, "e1000", bus, hub, 1),
            "-device", f"{other},bus={bus},addr=2"]


def free_ports():
    """For device_add."""
    return [*root_port("hotplug0", SLOT_HOTPLUG0), *root_port("hotplug1", SLOT_HOTPLUG1)]


def root_port(name, slot):
    number = int(slot, 16)
    return ["-device", f"pcie-root-port,id={name},addr={slot},chassis={number},slot={number}"]


def nic(name, model, bus, hub, addr=0):
    """Without a boot ROM the firmware does not try to start from the network."""
    return ["-netdev", f"hubport,id=cable-{name},hubid={hub}",
            "-device", f"{model},id={name},bus={bus},addr={addr},netdev=cable-{name},romfile=,"
                       f"mac=02:00:00:00:00:{MACS[name]:02x}"]


MACS = {"nic0": 0x10, "nic1": 0x11, "group-nic": 0x20, "edu-nic": 0x30}
