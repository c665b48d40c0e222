# SPDX-License-Identifier: BSD-3-Clause
"""What `check` says of machines that users have: each judgement, and each machine as a whole.

The machines are composed of what people have described in public, of whom a comment names one.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

from command import SEEN, check, finding, needs_pmd, pmds, run, untouched
from fake_root import DOWNSTREAM, UPSTREAM, FakeRoot
from place import COMMAND

TOP = os.path.join(os.path.dirname(__file__), "../../..")
BRIDGE = {"class_code": 0x060400, "bridge": True}
DISK = 0x010700
NIC = "0000:05:00.0"


@pytest.fixture
def root():
    """A good machine with a root port and nothing else, in a directory that any user may read:
    what pytest gives is root's alone again whenever another pytest starts."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        fake = FakeRoot(directory)
        fake.device("0000:00:1c.0", group=1, ids=(0x8086, 0xa110), acs=0x1d, **BRIDGE)
        yield fake


def nic(root, bdf=NIC, *, group=5, name=None, **more):
    """A NIC; with a name on its driver, else unbound."""
    if name:
        more["driver"] = more.get("driver", "igb")
    real = root.device(bdf, group=group, **more)
    if name:
        root.interface(real, name)
    return real


def one(root, bdf=NIC, verdict="isolated", more=()):
    """The device, with the verdict, judged alone or together with more."""
    good = verdict in ("isolated", "complete")
    devices, _ = check(root, bdf, *more, status=0 if good else 1)
    assert devices[bdf]["verdict"] == verdict, devices[bdf]["reason"]
    return devices[bdf]


def notes(device):
    return "\n".join([device["reason"], *device["notes"]])


def commands(device):
    return [line.removeprefix("sudo ") for line in device["next"]]


# ---- the group

def test_host_bridge_is_exempt(root):
    """pcengines/apu2-documentation#236: a dummy host bridge in the NICs' group."""
    shutil.rmtree(root.path("sys/class/iommu/dmar0"))
    root.write("sys/class/iommu/ivhd0/amd-iommu/features", "58f77ef22294ade:0\n")
    root.device("0000:00:02.0", group=7, ids=(0x1022, 0x156b), class_code=0x060000)
    for function, bus in ((2, 1), (3, 2), (4, 3), (5, 4)):
        port = f"0000:00:02.{function}"
        root.device(port, group=7, ids=(0x1022, 0x1439), driver="pcieport", **BRIDGE)
        wifi = bus == 4
        nic(root, f"0000:0{bus}:00.0", group=7, below=port, name=f"nic{bus}",
            driver="ath10k_pci" if wifi else "igb", class_code=0x028000 if wifi else 0x020000,
            ids=(0x168c, 0x003c) if wifi else (0x8086, 0x157b))
    device = one(root, "0000:01:00.0", "shared")
    assert device["reason"].endswith("name these too: -a 0000:02:00.0 -a 0000:03:00.0 -a 0000:04:00.0")
    assert commands(device)[0] == \
        "dpdk-ioasid bind 0000:01:00.0 0000:02:00.0 0000:03:00.0 0000:04:00.0"
    host = one(root, "0000:00:02.0", "cannot")
    assert finding(host, "device-kind") == "bad" and not host["next"]
    for option in ([], ["--force"]):
        assert "a host bridge" in run("bind", *option, "0:2.0", root=root, status=1)
    assert untouched(root, "0000:00:02.0")
    one(root, "0000:01:00.0", "complete", ["2:0.0", "3:0.0", "4:0.0"])


def test_chipset_in_the_group(root):
    """tiiuae/ghaf#1711: an onboard NIC with the LPC bridge, SMBus and the firmware's flash."""
    names = ["0000:00:1f.0", "0000:00:1f.3", "0000:00:1f.4", "0000:00:1f.5"]
    for bdf, class_code, driver in zip(names, (0x060100, 0x040300, 0x0c0500, 0x0c8000),
                                       (None, "sof-audio-pci", "i801_smbus", "intel-spi")):
        root.device(bdf, group=12, ids=(0x8086, 0x5187), class_code=class_code, driver=driver)
    nic(root, "0000:00:1f.6", group=12, ids=(0x8086, 0x15b7), name="eno1", driver="e1000e")
    device = one(root, "0000:00:1f.6", "cannot")
    assert finding(device, "platform-member") == "bad" and not device["next"]
    assert "0000:00:1f.0 (ISA bridge), 0000:00:1f.4 (SMBus)" in device["reason"]
    assert "0000:00:1f.3" not in device["reason"]  # sound alone would do
    # Naming them all makes it no better.
    one(root, "0000:00:1f.6", "cannot", names)
    for bdf in (names[0], names[2], names[3]):
        assert finding(one(root, bdf, "cannot"), "platform-device") == "bad"
    for option in ([], ["--force"]):
        assert "runs by" in run("bind", *option, "0:1f.6", *names, root=root, status=1)
    assert all(untouched(root, bdf) for bdf in [*names, "0000:00:1f.6"])


@pytest.mark.parametrize("class_code, driver", [
    (0x010400, "vmd"), (0x050100, None), (0x080000, None), (0x068000, None), (0x080700, "pcieport"),
    (0x080600, None), (0x0c0700, "ipmi_si")])
def test_platform(root, class_code, driver):
    nic(root, group=5)
    root.device("0000:05:00.1", group=5, ids=(0x8086, 0x201d), class_code=class_code, driver=driver)
    assert finding(one(root, verdict="cannot"), "platform-member") == "bad"


def test_member_that_cannot_be_read(root):
    """What it is, is not known, so its group is not: no command takes it."""
    nic(root)
    real = root.device("0000:05:00.1", group=5)
    root.remove(f"{real}/class")
    device = one(root, verdict="unknown")
    assert "its IOMMU group cannot be read" in device["reason"] and not device["next"]
    assert finding(one(root, "0000:05:00.1", "unknown"), "platform-device") == "unknown"
    assert "cannot be read" in run("bind", "--force", NIC, "5:0.1", root=root, status=1)


def test_member_that_is_not_on_pci(root):
    """Platform devices have groups, too, and neither address nor IDs."""
    nic(root)
    os.makedirs(root.path("sys/devices/platform/d0000.dma"))
    os.makedirs(root.path("sys/bus/platform"))
    root.link("sys/devices/platform/d0000.dma/subsystem", "sys/bus/platform")
    root.link("sys/kernel/iommu_groups/5/devices/d0000.dma", "sys/devices/platform/d0000.dma")
    device = one(root, verdict="unknown")
    assert "d0000.dma" in device["reason"] and device["group"]["tree"][-1]["bdf"] == "d0000.dma"


@needs_pmd("dmadev_ioat")
def test_what_dpdk_drives_is_no_platform(root):
    """DSA and IOAT have the class of system peripherals."""
    root.device(NIC, group=5, ids=(0x8086, 0x0b00), class_code=0x088000)
    assert finding(one(root), "platform-device") == "good"


@pytest.mark.parametrize("use, words", [
    ("display", "a display hangs on it (card0-HDMI-A-1)"), ("boot", "a display hangs on it (the fir"),
    ("console", "the console ttyS0 hangs on it"), ("usb", "USB device 1-2 hangs on it"),
    ("upper", "network interface nic1 is part of bond0")])
def test_member_in_use(root, use, words):
    nic(root, name="nic0")
    real = root.device("0000:05:00.1", group=5, class_code=0x038000, driver="some", ids=(0x10de, 1))
    if use == "display":
        root.child(real, "drm/card0")
        root.child(real, "drm/card0/card0-HDMI-A-1", subsystem="drm")
        root.write(f"{real}/drm/card0/card0-HDMI-A-1/status", "connected\n")
    elif use == "boot":
        root.write(f"{real}/boot_vga", "1\n")
    elif use == "console":
        root.child(real, "tty/ttyS0", "ttyS0", "4:64")
        root.write("proc/consoles", "ttyS0                -W- (EC p a)    4:64\n")
    elif use == "usb":
        root.child(real, "usb1", subsystem="usb")
        root.child(real, "usb1/1-2", subsystem="usb")
    else:
        root.interface(real, "nic1")
        root.write(f"{real}/net/nic1/upper_bond0", "")
    device = one(root, verdict="cannot")
    assert finding(device, "member-in-use") == "bad" and words in device["reason"]
    assert not device["next"]
    # The same of itself is no obstacle for others, but `bind` takes it only by force.
    assert words in run("bind", "5:0.1", root=root, status=1)
    assert untouched(root, "0000:05:00.1")


def test_member_that_may_be_in_use(root):
    """Its disk can be asked only on the machine itself."""
    nic(root)
    real = root.device("0000:05:00.1", group=5, class_code=DISK, driver="mpt3sas", ids=(0x1000, 0x97))
    root.disk(real, "sdq", "65:0")
    device = one(root, verdict="unknown")
    assert finding(device, "member-in-use") == "unknown" and "sdq is claimed" in device["reason"]
    assert not any("bind" in line for line in device["next"])


def test_set(root):
    """Several are judged together."""
    for function in range(2):
        nic(root, f"0000:05:00.{function}")
    nic(root, "0000:06:00.0", group=6)
    one(root, verdict="shared")
    device = one(root, verdict="complete", more=["5:0.1"])
    assert device["reason"] == "all devices of IOMMU group 5 are named: 0000:05:00.0, 0000:05:00.1"
    one(root, "0000:06:00.0", more=["5:0.0", "5:0.1"])
    check(root, "5:0.0", "6:0.0", status=1)


def test_group_that_cannot_be_read(root):
    """Unknown is not no."""
    nic(root)
    os.unlink(root.path("sys/kernel/iommu_groups/5/reserved_regions"))
    device = one(root, verdict="unknown")
    assert finding(device, "iommu-group") == "unknown" and not any("run" in n for n in device["next"])
    assert "cannot be read" in run("bind", "--force", NIC, root=root, status=1)


@pytest.mark.parametrize("unsafe", [False, True])
def test_no_iommu(root, unsafe):
    """VFIO's own groups are none: sriov-network-operator#257 has the mode left on."""
    nic(root, group=5 if unsafe else None)
    if unsafe:
        root.write("sys/kernel/iommu_groups/5/name", "vfio-noiommu\n")
        root.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")
    device = one(root, verdict="cannot")
    assert finding(device, "iommu-group") == "bad" and "switch the IOMMU on" in device["reason"]
    assert "switch the IOMMU on" in run("bind", NIC, root=root, status=1)
    # Only who has switched that mode on may have no protection.
    text = run("bind", "--force", "-n", NIC, root=root, status=0 if unsafe else 1)
    assert ("switch the IOMMU on" in text) != unsafe
    assert untouched(root, NIC)


def test_identity_domain(root):
    """sriov-network-device-plugin#154: iommu=pt is no obstacle."""
    nic(root, driver="vfio-pci")
    root.write("sys/kernel/iommu_groups/5/type", "identity\n")
    assert one(root)["group"]["type"] == "identity"


def test_firmware_map(root):
    nic(root)
    root.write("sys/kernel/iommu_groups/5/reserved_regions",
               "0x000000007c000000 0x000000007fffffff direct\n")
    device = one(root, verdict="cannot")
    assert finding(device, "firmware-map") == "bad" and "RMRR" in device["reason"]
    assert "RMRR" in run("bind", NIC, root=root, status=1) and untouched(root, NIC)
    root.write("sys/kernel/iommu_groups/5/reserved_regions",
               "0x000000007c000000 0x000000007fffffff direct-relaxable\n")
    one(root)


def test_header_that_cannot_be_read(root):
    real = nic(root)
    root.write(f"{real}/config", b"")
    assert finding(one(root, verdict="unknown"), "device-kind") == "unknown"


# ---- interrupts

@pytest.mark.parametrize("chip, remapped", [
    ("IR-PCI-MSIX-0000:05:00.0    0-edge", True),
    ("PCI-MSIX-0000:05:00.0    0-edge", False),
    ("IO-APIC    2-edge", False),
    ("ITS-MSI 524288 Edge", True),  # arm64 before Linux 6.11
    ("ITS-PCI-MSIX-0002:00:00.0   1 Edge", True),
    ("IR-PCI-MSI 1-edge eth1\n 25:  1  PCI-MSI 0-edge", None),  # an IOMMU for some devices only
    ("GICv3  26 Level", None),
    ("IMSIC-PCI-MSIX-0000:01:00.0   0 Edge", None)])
def test_interrupts(root, chip, remapped):
    nic(root)
    root.write("proc/interrupts", f"       CPU0\n 24:   1   {chip}   eth0\n")
    device = one(root, verdict="cannot" if remapped is False else "isolated")
    _, machine = check(root)
    assert machine["interrupts"]["remapped"] is remapped
    assert finding(device, "interrupts") == {True: "good", False: "bad", None: "unknown"}[remapped]


def test_interrupts_of_a_kernel_without_iommufd(root):
    """The parameter that there is."""
    nic(root)
    root.remove("dev/iommu")
    shutil.rmtree(root.path("sys/module/iommufd"))
    root.write("proc/interrupts", " 24:   1   PCI-MSI-edge   eth0\n")
    device = one(root, verdict="cannot")
    assert "vfio_iommu_type1.allow_unsafe_interrupts=1" in device["reason"]
    root.write("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n")
    assert finding(one(root), "interrupts-unsafe") == "bad"


def test_arm64(root):
    """Linux 6.11 and later name the interrupt chip by the device."""
    shutil.rmtree(root.path("sys/class/iommu/dmar0"))
    os.makedirs(root.path("sys/class/iommu/smmu3.0x0000000015000000"))
    root.write("proc/interrupts", "123:  4365  0 ITS-PCI-MSIX-0002:00:00.0   1 Edge  eth0-rxtx0\n")
    nic(root, "0002:00:00.0", ids=(0x8086, 0x1572), driver="vfio-pci")
    assert commands(one(root, "0002:00:00.0"))[0].startswith("dpdk-ioasid run ")


# ---- isolation that only looks so

@pytest.mark.parametrize("acs, verdict", [(None, "exposed"), (0x1d, "isolated")])
def test_acs_override(root, acs, verdict):
    """lf-edge/eve#5969 had it by default. Where all have the capability it changes nothing."""
    root.write("proc/cmdline", "root=/dev/sda1 pcie_acs_override=downstream,multifunction quiet\n")
    root.device("0000:00:01.0", group=2, driver="pcieport", acs=acs, **BRIDGE)
    nic(root, "0000:01:00.0", below="0000:00:01.0", driver="vfio-pci")
    device = one(root, "0000:01:00.0", verdict)
    assert finding(device, "acs-override") == ("bad" if acs is None else "good")
    if acs is None:
        assert "pcie_acs_override=downstream,multifunction" in device["reason"]
        assert not device["next"]


def test_command_line_that_cannot_be_read(root):
    nic(root)
    root.remove("proc/cmdline")
    device = one(root, verdict="unknown")
    assert finding(device, "acs-override") == finding(device, "vfio-ids") == "unknown"


@pytest.mark.parametrize("acs, verdict", [
    (0x1d, "isolated"), (0, "exposed"), (0x19, "exposed"), (0x0d, "exposed"), (0x1c, "exposed")])
def test_acs_switched_off(root, acs, verdict):
    """setpci for GPUDirect, on a switch: groups are made at boot and not again."""
    root.device("0000:00:01.0", group=2, driver="pcieport", acs=0x1d, **BRIDGE)
    root.device("0000:01:00.0", below="0000:00:01.0", group=3, kind=UPSTREAM, **BRIDGE)
    above = "0000:00:01.0/0000:01:00.0"
    for device, bus in ((0, 3), (1, 4)):
        port = f"0000:02:0{device}.0"
        root.device(port, below=above, group=10 + device, acs=acs, kind=DOWNSTREAM, **BRIDGE)
        nic(root, f"0000:0{bus}:00.0", below=f"{above}/{port}", group=20 + device, driver="vfio-pci")
    device = one(root, "0000:03:00.0", verdict)
    assert finding(device, "acs-off") == ("good" if verdict == "isolated" else "bad")
    if verdict == "exposed":
        assert "behind 0000:02:00.0" in device["reason"] and not device["next"]


def test_acs_of_intel_ports(root):
    """Since Sunrise Point both registers have four bytes: drivers/pci/quirks.c."""
    real = root.device("0000:00:1d.0", group=2, ids=(0x8086, 0xa118), acs=0, **BRIDGE)
    nic(root, "0000:01:00.0", below="0000:00:1d.0")
    one(root, "0000:01:00.0", "exposed")
    with open(root.path(real, "config"), "r+b") as config:
        config.seek(0x108)
        config.write(b"\x1d\0")
    one(root, "0000:01:00.0")


def test_acs_direct_translated(root):
    """Of a port above a device that has ATS, and one that has not."""
    root.device("0000:00:01.0", group=2, acs=0x5d, **BRIDGE)
    nic(root, "0000:01:00.0", below="0000:00:01.0", ats=True)
    assert "ACS direct translated" in one(root, "0000:01:00.0", "exposed")["reason"]
    root.device("0000:00:02.0", group=3, acs=0x5d, **BRIDGE)
    nic(root, "0000:02:00.0", below="0000:00:02.0", group=6)
    one(root, "0000:02:00.0")


def test_port_without_acs_proves_nothing(root):
    """The kernel knows ports that isolate all the same, and made the groups so."""
    root.device("0000:00:01.0", group=2, **BRIDGE)
    nic(root, "0000:01:00.0", below="0000:00:01.0")
    assert finding(one(root, "0000:01:00.0"), "acs-off") == "good"


def test_functions_that_do_not_isolate(root):
    nic(root, multifunction=True, acs=0)
    assert "its functions" in one(root, verdict="exposed")["reason"]


def test_acs_unknown(root):
    """Without root: 64 bytes, of which none says so. Commands only from who knows."""
    root.device("0000:00:01.0", group=2, acs=0x1d, **BRIDGE)
    nic(root, "0000:01:00.0", below="0000:00:01.0")
    os.truncate(root.path("sys/bus/pci/devices/0000:00:01.0/config"), 64)
    root.write("proc/self/status", "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000004000\n")
    device = one(root, "0000:01:00.0", "unknown")
    assert finding(device, "acs-off") == "unknown"
    assert device["next"] == ["sudo dpdk-ioasid check 0000:01:00.0"]


@pytest.mark.parametrize("where", ["device", "port"])
def test_external(root, where):
    port = root.device("0000:00:01.0", group=2, acs=0x1d, **BRIDGE)
    real = nic(root, "0000:01:00.0", below="0000:00:01.0", ats=True)
    assert finding(one(root, "0000:01:00.0"), "external") == "good"
    root.write(f"{real if where == 'device' else port}/removable", "removable\n")
    device = one(root, "0000:01:00.0")
    assert finding(device, "external") == "bad" and "it has ATS" in notes(device)
    root.write(f"{real if where == 'device' else port}/removable", "fixed\n")
    assert finding(one(root, "0000:01:00.0"), "external") == "good"


@pytest.mark.parametrize("bit, verdict", [("1", "isolated"), ("0", "cannot"), (None, "unknown")])
def test_virtio(root, bit, verdict):
    """rivosinc/salus#55: a virtual machine with an IOMMU, and a NIC that goes past it."""
    real = nic(root, ids=(0x1af4, 0x1041), driver="vfio-pci" if bit is None else None)
    if bit is not None:
        root.bind(NIC, real, "virtio-pci")
        root.child(real, "virtio0", subsystem="virtio")
        root.link(f"{real}/virtio0/driver", "sys/bus/virtio/drivers/virtio_net")
        root.child(real, "virtio0/net/enp5s0")
        root.write(f"{real}/virtio0/features", "1" * 33 + bit + "0" * 30 + "\n")
    device = one(root, verdict=verdict)
    assert finding(device, "virtio-dma") == {"1": "good", "0": "bad", None: "unknown"}[bit]
    if bit == "0":
        assert "iommu_platform=on" in device["reason"] and not device["next"]
        assert "bypasses the IOMMU" in run("bind", NIC, root=root, status=1)
        assert untouched(root, NIC)


def test_virtio_in_the_group(root):
    """The risk is the group's."""
    nic(root)
    real = root.device("0000:05:00.1", group=5, ids=(0x1af4, 0x1042), class_code=0x018000,
                       driver="virtio-pci")
    root.write(f"{real}/virtio3/features", "0" * 64 + "\n")
    # Nobody has negotiated anything yet.
    assert finding(one(root, verdict="unknown", more=["5:0.1"]), "virtio-dma") == "unknown"
    os.makedirs(root.path("sys/bus/virtio/drivers/virtio_blk"))
    root.link(f"{real}/virtio3/driver", "sys/bus/virtio/drivers/virtio_blk")
    assert "the DMA of 0000:05:00.1 bypasses" in one(root, verdict="cannot", more=["5:0.1"])["reason"]


# ---- drivers

def test_bifurcated(root):
    """pktgen/Pktgen-DPDK#245: DPDK's mlx5 works on mlx5_core, and finds no port on vfio-pci."""
    nic(root, "0000:07:00.0", group=7, ids=(0x15b3, 0xa2d3), name="enp7s0", driver="mlx5_core")
    nic(root, "0000:08:00.0", group=8, ids=(0x15b3, 0xa2d3), driver="vfio-pci")
    nic(root, "0000:09:00.0", group=9, ids=(0x1414, 0x00ba), name="enp9s0", driver="mana")
    kept = one(root, "0000:07:00.0", "cannot")
    assert finding(kept, "bifurcated") == "bad" and "neither vfio-pci nor this plugin" in kept["reason"]
    assert commands(kept) == ["dpdk-testpmd -a 0000:07:00.0 -- -i"]
    taken = one(root, "0000:08:00.0", "cannot")
    assert commands(taken) == ["dpdk-ioasid unbind 0000:08:00.0"] and "give it back" in taken["reason"]
    assert finding(one(root, "0000:09:00.0", "cannot"), "bifurcated") == "bad"
    assert "--force binds it all the same" in run("bind", "7:0.0", root=root, status=1)
    assert untouched(root, "0000:07:00.0")


@needs_pmd("dmadev_idxd_pci", "qat")
@pytest.mark.parametrize("allowed", [False, True])
def test_denylist(root, allowed):
    """intel/intel-device-plugins-for-kubernetes#517, #524."""
    qat, dsa = "0000:b1:01.0", "0000:6a:01.0"
    root.device(qat, group=31, ids=(0x8086, 0x37c9), class_code=0x0b4000, driver="c6xxvf")
    root.device(dsa, group=40, ids=(0x8086, 0x0b25), class_code=0x088000, driver="idxd")
    root.write("sys/module/vfio_pci/parameters/disable_denylist", "Y\n" if allowed else "N\n")
    devices, _ = check(root)
    assert list(devices) == [dsa, qat]
    for bdf in devices:
        device = one(root, bdf, "isolated" if allowed else "cannot")
        assert finding(device, "vfio-denylist") == ("good" if allowed else "bad")
        if allowed:
            assert commands(device) == [f"dpdk-ioasid bind {bdf}"]  # and no testpmd for these
        else:
            assert "vfio-pci.disable_denylist=1" in device["reason"]
            assert "disable_denylist" in run("bind", bdf, root=root, status=1)
            assert untouched(root, bdf)


@needs_pmd("dmadev_idxd_pci")
def test_denylist_of_older_kernels(root):
    root.device(NIC, group=40, ids=(0x8086, 0x0b25), class_code=0x088000)
    root.write("proc/sys/kernel/osrelease", "6.1.0-44-amd64\n")
    device = one(root)
    assert finding(device, "vfio-denylist") == "unknown" and "may refuse it" in notes(device)


@pytest.mark.parametrize("driver", ["mlx5_vfio_pci", "hisi-acc-vfio-pci", "nvgrace-gpu-vfio-pci"])
def test_variant_driver(root, driver):
    """Is on VFIO as much as vfio-pci."""
    nic(root, driver=driver)
    nic(root, "0000:05:00.1", driver="vfio-pci")
    device = one(root, verdict="shared")
    assert not any("bind" in line for line in device["next"])
    [_, other] = device["group"]["tree"][-2:]
    assert other["state"].startswith("at risk unless named: on VFIO")
    assert "all devices of IOMMU group 5" in run("bind", NIC, "5:0.1", root=root)
    assert untouched(root, NIC)


def test_vfio_ids(root):
    """harvester/pcidevices#49: vfio-pci takes every device of the id."""
    root.write("proc/cmdline", "intel_iommu=on vfio-pci.ids=8086:4941,8086:10C9\n")
    nic(root, driver="vfio-pci")
    device = one(root)
    assert finding(device, "vfio-ids") == "bad" and "unbind` cannot" in notes(device)
    text = run("unbind", NIC, root=root, status=1)
    assert "vfio-pci.ids" in text and untouched(root, NIC)


def test_vfio_driver_that_is_not_loaded(root):
    nic(root)
    shutil.rmtree(root.path("sys/bus/pci/drivers/vfio-pci"))
    device = one(root)
    assert finding(device, "vfio-driver") == "bad" and commands(device)[0] == "modprobe vfio-pci"


# ---- in use

def test_interface_elsewhere(root):
    """k8snetworkplumbingwg/sriov-cni#203: a pod has the interface."""
    nic(root, driver="iavf")
    device = one(root)
    assert finding(device, "in-use") == "unknown" and "another network namespace" in notes(device)
    assert not device["next"]
    text = run("bind", NIC, root=root, status=1)
    assert "may be in use, its driver iavf shows no network interface" in text
    assert untouched(root, NIC)


def test_packet_sockets(root):
    """suricata, tcpdump, a DHCP client: no address, and yet in use."""
    real = nic(root, name="nic0")
    root.write(f"{real}/net/nic0/ifindex", "7\n")
    nic(root, "0000:06:00.0", group=6, name="nic1")
    root.write("proc/net/packet", "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"
               "000000001 3      3    0003   7     1 0      0      4711\n"
               "000000002 3      3    0003   0     1 0      0      4712\n"
               "000000003 3      3    0003   7     1 0      0      4713\n")
    root.process(77, "suricata", "socket:[4711]", "socket:[4712]")
    device = one(root)
    assert finding(device, "in-use") == "bad" and not device["next"]
    assert "process 77 (suricata) has a packet socket on network interface nic0" in notes(device)
    assert "a packet socket is on network interface nic0" in notes(device)  # of whom is not seen
    assert "packet socket" in run("bind", "nic0", root=root, status=1) and untouched(root, NIC)
    assert finding(one(root, "0000:06:00.0"), "in-use") == "good"


def test_rdma(root):
    """Who uses it in the kernel shows nowhere."""
    real = nic(root, name="nic0", driver="irdma")
    root.child(real, "infiniband/irdma0")
    device = one(root)
    assert finding(device, "in-use") == "unknown" and "RDMA device irdma0" in notes(device)
    assert "RDMA device irdma0" in run("bind", NIC, root=root, status=1) and untouched(root, NIC)


def test_holders(root):
    """By the node, by the group's, by a file in sysfs; and what a process calls itself."""
    real = nic(root, driver="vfio-pci")
    nic(root, "0000:05:00.1", driver="vfio-pci")
    uio = nic(root, "0000:06:00.0", group=6, driver="igb_uio")
    root.child(uio, "uio/uio0", "uio0", "243:0")
    root.process(100, "qemu\x1b[2K\r", "/dev/null", "/dev/vfio/devices/vfio1")
    root.process(101, "dpdk-l2fwd", "/dev/uio0", f"/{uio}/config", "socket:[1]")
    assert os.path.exists(root.path(real))
    device = one(root, verdict="complete", more=["5:0.1"])
    assert finding(device, "holders") == "bad"
    assert "process 100 (qemu?[2K?) has /dev/vfio/devices/vfio1 open" in notes(device)
    assert not device["next"]
    assert "process 101 (dpdk-l2fwd) has /dev/uio0 open" in notes(one(root, "0000:06:00.0"))
    text = run("unbind", NIC, root=root, status=1)
    assert "process 100 (qemu?[2K?)" in text and "\x1b" not in text and untouched(root, NIC)
    assert "process 101" in run("bind", "6:0.0", root=root, status=1)
    root.process(102, "old", "/dev/vfio/5")
    assert "process 102 (old) has /dev/vfio/5 open" in run("unbind", NIC, root=root, status=1)


def test_processes_that_cannot_be_seen(root):
    nic(root)
    shutil.rmtree(root.path("proc"))
    root.write("proc/cmdline", "\n")
    root.mount()
    os.makedirs(root.path("proc/7"))
    root.write("proc/7/fd", "")  # no directory
    device = one(root)
    assert finding(device, "holders") == "unknown" and "cannot be seen" in notes(device)


def test_virtual_functions(root):
    """att/vfd#316: the kernel waits for whoever has one."""
    pf = nic(root, name="ens1")
    vf = nic(root, "0000:05:10.0", group=6, driver="vfio-pci")
    root.vf(pf, 0, "0000:05:10.0")
    device = one(root)
    assert finding(device, "in-use") == "bad" and not device["next"]
    assert "virtual function 0000:05:10.0 would go away" in notes(device)
    assert "0000:05:10.0 would go away" in run("bind", NIC, root=root, status=1)
    root.process(60, "sleep", "/dev/vfio/devices/vfio0")
    text = run("bind", NIC, root=root, status=1)
    assert "its virtual function 0000:05:10.0 is in use, process 60 (sleep)" in text
    assert untouched(root, NIC) and os.path.exists(root.path(vf))
    # … and of a physical function that is on VFIO itself.
    os.unlink(root.path(pf, "driver"))
    root.bind(NIC, pf, "vfio-pci")
    text = run("unbind", NIC, root=root, status=1)
    assert "0000:05:10.0 would go away, and is in use, process 60" in text and untouched(root, NIC)


# ---- kernel and nodes

def test_container_without_the_node(root):
    """spdk/spdk#2734: a pod has /dev/vfio/vfio and /dev/vfio/N only."""
    nic(root, driver="vfio-pci")
    shutil.rmtree(root.path("dev"))
    device = one(root)
    assert finding(device, "iommufd") == finding(device, "device-nodes") == "bad"
    assert "the kernel has iommufd, but there is no /dev/iommu here" in notes(device)
    assert "its node /dev/vfio/devices/vfio0 is not there" in notes(device)
    assert not any("modprobe" in line for line in device["next"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode, mapped, words, command", [
    (0o600, True, "a udev rule or chown", True),
    (0o600, False, "keep-groups", False)])
def test_node_access(root, mode, mapped, words, command):
    """podman#9706: rootless, without its groups; and a plain user."""
    nic(root, driver="vfio-pci")
    root.write("proc/self/status", "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000004000\n")
    root.write("proc/self/uid_map", "0 0 4294967295\n" if mapped else "0 1000 1\n")
    for path in ("dev/iommu", "dev/vfio/devices/vfio0"):
        os.chmod(root.path(path), mode)
        if not mapped:
            os.chown(root.path(path), 65534, 65534)
    result = subprocess.run([COMMAND, "check", "--json", NIC], user=1000, group=1000, check=False,
                            extra_groups=[], env={**os.environ, "DPDK_IOASID_ROOT": root.root},
                            stdout=subprocess.PIPE, text=True)
    [device] = json.loads(result.stdout)["devices"]
    SEEN.add(("node-access", finding(device, "node-access")))
    assert words in notes(device)
    assert any(line.startswith("sudo chown ") for line in device["next"]) == command


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be without a capability")
@pytest.mark.parametrize("mode, words", [(0, "CAP_DAC_OVERRIDE")])
def test_node_access_of_root(root, mode, words):
    nic(root, driver="vfio-pci")
    os.chmod(root.path("dev/iommu"), mode)
    result = subprocess.run(
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search",
         "--inh-caps=-dac_override,-dac_read_search", COMMAND, "check", "--json", NIC],
        check=False, env={**os.environ, "DPDK_IOASID_ROOT": root.root}, stdout=subprocess.PIPE,
        text=True)
    [device] = json.loads(result.stdout)["devices"]
    assert "root (root) may not open /dev/iommu" in notes(device) and words in notes(device)
    assert "or run as root" not in notes(device)


# ---- memory

def test_hugepages_that_files_hold(root):
    """Of programs that have ended: EAL would have locked its own."""
    nic(root, driver="vfio-pci")
    root.hugepages(2, free=0)
    assert "programs hold them" in notes(one(root))
    root.write("dev/hugepages/rtemap_0", b"x" * (2 << 20))
    device = one(root)
    assert finding(device, "hugepages") == "bad"
    assert "files in /dev/hugepages hold 2 MiB of them, 2 MiB of these no DPDK program" in notes(device)
    assert not any("nr_hugepages" in line for line in device["next"])
    with open(root.path("dev/hugepages/rtemap_0"), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as EAL does while it runs
        assert "hold 2 MiB of them, 0 MiB of these no DPDK program" in notes(one(root))


def test_hugepages_on_another_node(root):
    real = nic(root, driver="vfio-pci")
    root.write(f"{real}/numa_node", "1\n")
    directory = "sys/devices/system/node/node1/hugepages/hugepages-2048kB"
    for name in ("nr_hugepages", "free_hugepages"):
        root.write(f"{directory}/{name}", "0\n")
    device = one(root)
    assert finding(device, "hugepages-node") == "bad" and "NUMA node 1 has no" in notes(device)
    assert device["next"][0].endswith(f"/{directory}/nr_hugepages")
    for name, number in (("nr_hugepages", 8), ("free_hugepages", 0)):
        root.write(f"{directory}/{name}", f"{number}\n")
    device = one(root)
    assert "on its NUMA node 1 no hugepage is free" in notes(device)
    assert not any("nr_hugepages" in line for line in device["next"])


def test_hugetlbfs_elsewhere(root):
    """canonical/lxd#7593: not at /dev/hugepages; sonic-platform-vpp#182: of another size."""
    nic(root, driver="vfio-pci")
    mount = "1 0 0:29 / /mnt/huge rw - hugetlbfs hugetlbfs rw,pagesize={}\n"
    root.write("proc/self/mountinfo", mount.format("2M"))
    device = one(root)
    assert finding(device, "hugepages-mount") == "good" and "--in-memory" not in device["next"][-1]
    root.write("proc/self/mountinfo", mount.format("1024M"))
    device = one(root)
    assert finding(device, "hugepages-mount") == "bad" and "--in-memory" in device["next"][-1]
    root.remove("proc/self/mountinfo")
    assert finding(one(root), "hugepages-mount") == "unknown"


def test_no_hugepages(root):
    nic(root)
    root.hugepages(0)
    assert finding(one(root), "hugepages") == "bad"


def test_programs(root):
    nic(root)
    shutil.rmtree(root.path("usr"))
    assert finding(one(root), "programs") == "bad"
    assert not any("run" in line for line in one(root)["next"])


# ---- what cannot be read

def bad_machines(root):
    """A NIC that is not good, in one way after the other: what it is, and what undoes that."""
    port = "0000:00:01.0"
    root.device(port, group=2, acs=0, **BRIDGE)
    nic(root, "0000:01:00.0", group=5, below=port, driver="vfio-pci")
    yield "exposed"
    os.unlink(root.path(f"sys/bus/pci/devices/{port}"))
    shutil.rmtree(root.path(f"sys/devices/pci0000:00/{port}"))
    os.unlink(root.path("sys/bus/pci/devices/0000:01:00.0"))
    os.unlink(root.path("sys/kernel/iommu_groups/5/devices/0000:01:00.0"))
    os.unlink(root.path(f"sys/kernel/iommu_groups/2/devices/{port}"))
    nic(root, "0000:01:00.0", group=5, driver="vfio-pci")
    real = nic(root, "0000:01:00.1", group=5, ids=(0x1af4, 0x1041), driver="virtio-pci")
    root.write(f"{real}/virtio0/features", "0" * 64 + "\n")
    root.link(f"{real}/virtio0/driver", "sys/bus/pci/drivers/virtio-pci")
    yield "cannot"
    for name in ("vendor", "device"):
        root.write(f"{real}/{name}", "0x8086\n")
    os.unlink(root.path(real, "driver"))
    yield "shared"
    root.write(f"{real}/class", "0x060100\n")
    yield "cannot"


def test_no_file_that_is_missing_makes_it_good(root):
    """Unknown is not no: take any one file away from a bad machine, and it is no good one."""
    tried = 0
    for verdict in bad_machines(root):
        one(root, "0000:01:00.0", verdict)
        for directory, _, files in os.walk(root.root):
            for name in files:
                path = os.path.join(directory, name)
                if os.path.islink(path):
                    continue
                os.rename(path, root.path("away"))
                text = run("check", "--json", "1:0.0", root=root, status=1)
                os.rename(root.path("away"), path)
                [device] = json.loads(text)["devices"]
                assert device["verdict"] not in ("isolated", "complete"), path
                if device["verdict"] != "shared":
                    assert not any("dpdk-ioasid run" in line for line in device["next"]), path
                tried += 1
    assert tried > 100


# ---- what comes from others

def test_hostile_names(root):
    """A device's driver, an interface, a mount point, a kernel argument."""
    evil = "\x1b[2J\r\x07"
    real = nic(root, name="nic0", driver=f"drv{evil}")
    root.interface(real, f"if{evil}")
    root.write(f"{real}/net/if{evil}/upper_br{evil}", "")
    root.write("proc/cmdline", f"pcie_acs_override={evil}\n")
    root.mount(f"9 1 0:77 / /mnt{evil} rw - hugetlbfs none rw,pagesize=2M")
    for text in (run("check", "--all", root=root), run("bind", NIC, root=root, status=1)):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_locked_memory(root):
    nic(root)
    root.write("proc/self/status", "CapEff:\t0000000000000000\n")
    text = subprocess.run(["bash", "-c", f"ulimit -l 64; {COMMAND} check --json {NIC}"], check=True,
                          env={**os.environ, "DPDK_IOASID_ROOT": root.root}, text=True,
                          stdout=subprocess.PIPE).stdout
    [device] = json.loads(text)["devices"]
    SEEN.add(("locked-memory", finding(device, "locked-memory")))
    assert finding(device, "locked-memory") == "bad"


def names():
    """Of all judgements."""
    with open(os.path.join(TOP, "app/dpdk-ioasid/judge/list.c"), encoding="utf-8") as file:
        found = re.findall(r'^\t\{ "([a-z-]+)",', file.read(), re.M)
    assert len(found) > 20
    return set(found)


def test_each_judgement_was_bad_once():
    """None without a test: this one runs after those above."""
    bad = {name for name, outcome in SEEN if outcome == "bad"}
    if os.geteuid() != 0:
        bad.add("node-access")  # its test wants to become another user
    if "dmadev_idxd_pci" not in pmds():
        bad.add("vfio-denylist")
    bad.add("guard")  # it is in a kernel and in no file: devtools/tests/guard
    assert sorted(names() - bad) == [], "judgements that no machine here is bad for"


def test_guide_has_each_judgement():
    with open(os.path.join(TOP, "doc/guides/check.rst"), encoding="utf-8") as guide:
        text = guide.read()
    for name in names():
        assert f"``{name}``" in text, f"{name} is not in the guide"


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-rs", "-p", "no:cacheprovider", *sys.argv[1:], __file__]))
