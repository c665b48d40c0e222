# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-ioasid bind, unbind and cdi on machines that are only files: what they refuse, and how.

There is no kernel that would take a device: devtools/tests/test_command.py has that.
"""

import json
import os
import shutil
import stat
import sys

import pytest

from command import run, untouched
from place import PLUGIN
from two_groups import BRIDGE, GROUP_HD, GROUP_NIC, NIC, PORT, root  # noqa: F401 (a fixture)


def restored(root, bdf):
    """It was written, and then written again what it was: none."""
    with open(root.path("sys/bus/pci/devices", bdf, "driver_override"), encoding="ascii") as file:
        return file.read().startswith("\n")


# ---- bind and unbind: what is refused (the rest needs a kernel)

@pytest.mark.parametrize("use", ["mounted", "by name", "partition", "swap", "holder", "nvme"])
def test_bind_refuses_a_disk_in_use(root, use):
    root.disk(root.hd, "sdx")
    if use == "mounted":
        root.mount("9 1 8:0 / /home rw,x shared:1 - ext4 /dev/root rw")
    elif use == "by name":
        root.mount("9 1 0:40 / /home rw - btrfs /dev/sdx rw")
    elif use == "partition":
        root.disk(f"{root.hd}/block/sdx", "sdx1", "8:1")
        root.mount("9 1 8:1 / /home rw - ext4 /dev/sdx1 rw")
    elif use == "swap":
        root.write("proc/swaps", "Filename Type\n/dev/sdx partition 1 0 -2\n")
    elif use == "holder":
        root.write(f"{root.hd}/block/sdx/holders/dm-0", "")
    else:
        subsystem = "sys/devices/virtual/nvme-subsystem/nvme-subsys0"
        root.child(subsystem, "nvme0n1", "nvme0n1", "259:0", subsystem="block")
        root.child(root.hd, "nvme/nvme0", "nvme0", "240:0")
        root.link("sys/class/nvme-subsystem/nvme-subsys0", subsystem)
        root.link(f"{subsystem}/nvme0", f"{root.hd}/nvme/nvme0")
        root.mount("9 1 259:0 / /home rw - ext4 /dev/nvme0n1 rw")
    for bdfs in (GROUP_NIC, GROUP_HD), (GROUP_HD, GROUP_NIC):
        text = run("bind", *bdfs, root=root, status=1)
        assert f"{GROUP_HD}: is in use, disk" in text and "--force" in text
        assert untouched(root, GROUP_HD) and untouched(root, GROUP_NIC)


def test_bind_refuses_an_interface_in_use(root):
    """lo has an address wherever the test runs."""
    root.interface(f"sys/devices/pci0000:00/{PORT}/{NIC}", "lo")
    assert "network interface lo has the address 127.0.0.1" in run("bind", NIC, root=root, status=1)
    root.interface(f"sys/devices/pci0000:00/{BRIDGE}/{GROUP_NIC}", "enslaved")
    root.write(f"sys/devices/pci0000:00/{BRIDGE}/{GROUP_NIC}/net/enslaved/upper_br0", "")
    assert "enslaved is part of br0" in run("bind", GROUP_NIC, root=root, status=1)
    assert untouched(root, NIC) and untouched(root, GROUP_NIC)
    # Nobody takes it in a machine of files: it was tried, and undone.
    text = run("bind", "--force", NIC, root=root, status=1)
    assert "--force takes it although network interface lo" in text
    assert "vfio-pci did not take it" in text


def test_bind_refuses_bridges(root):
    assert "a bridge: programs use what is behind it" in run("bind", PORT, root=root, status=1)
    assert untouched(root, PORT)


def test_bind_shows_the_group(root):
    root.device("0000:07:00.0", group=7, driver="vfio-pci")
    root.device("0000:07:00.1", group=7, class_code=0x010000)
    text = run("bind", "07:00.0", root=root)
    assert "IOMMU group 7\n" in text and "0000:07:00.1" in text
    assert "0000:07:00.0: shared: others of IOMMU group 7" in text
    assert "dpdk-ioasid bind 0000:07:00.1\n" in text


def test_bind_offers_permanence_where_driverctl_is(root, tmp_path):
    root.device("0000:07:00.0", group=7, driver="vfio-pci")
    directory = tmp_path / "bin"
    directory.mkdir()
    assert "driverctl" not in run("bind", "07:00.0", root=root, env={"PATH": str(directory)})
    (directory / "driverctl").write_text("#!/bin/sh\n")
    (directory / "driverctl").chmod(0o755)
    text = run("bind", "07:00.0", root=root, env={"PATH": str(directory)})
    assert "  driverctl set-override 0000:07:00.0 vfio-pci\n" in text


def test_unbind_refuses_other_drivers(root):
    root.bind(GROUP_HD, root.hd, "mpt3sas")
    assert "is not on vfio-pci but on mpt3sas" in run("unbind", GROUP_HD, root=root, status=1)
    assert untouched(root, GROUP_HD)


def test_bind_undoes_what_failed(root):
    """vfio-pci takes nothing here: driver and override are what they were."""
    root.bind(NIC, root.nic, "igb")
    root.interface(root.nic, "nic0")
    root.write("sys/bus/pci/drivers/igb/bind", "")
    text = run("bind", NIC, root=root, status=1)
    assert "vfio-pci did not take it" in text and restored(root, NIC)
    # Nothing was the second's fault, and it was not begun.
    text = run("bind", GROUP_NIC, NIC, root=root, status=1)
    assert restored(root, GROUP_NIC) and f"{NIC}: vfio-pci did not" not in text


def test_bind_keeps_what_driverctl_set(root):
    root.write(f"{root.nic}/driver_override", "some-driver\n")
    run("bind", NIC, root=root, status=1)
    with open(root.path(root.nic, "driver_override"), encoding="ascii") as file:
        assert file.read().startswith("some-driver")


def test_dry_run(root):
    root.bind(NIC, root.nic, "igb")
    root.interface(root.nic, "nic0")
    text = run("bind", "-n", NIC, GROUP_NIC, root=root)
    assert f"would take {NIC} from igb and give it to vfio-pci\n" in text
    assert f"would take {GROUP_NIC} from no driver and" in text
    assert untouched(root, NIC) and untouched(root, GROUP_NIC)
    root.device("0000:05:00.0", group=5, driver="vfio-pci")
    text = run("unbind", "--dry-run", "5:0.0", root=root)
    assert "would take 0000:05:00.0 from vfio-pci and give it to the kernel's own driver" in text
    assert untouched(root, "0000:05:00.0")
    # What would be refused is refused.
    root.write(f"{root.nic}/net/nic0/upper_br0", "")
    assert "part of br0" in run("bind", "-n", NIC, root=root, status=1)


def test_interface_names(root):
    root.bind(NIC, root.nic, "igb")
    root.interface(root.nic, "nic0")
    assert f"would take {NIC}" in run("bind", "-n", "nic0", root=root)
    assert "not a PCI address" in run("bind", "-n", "../nic0", root=root, status=2)
    assert "not a PCI address" in run("bind", "-n", "nic1", root=root, status=2)


def test_force_names_what_it_takes(root):
    root.bind(NIC, root.nic, "igb_uio")
    root.child(root.nic, "uio/uio0", "uio0", "243:0")
    root.process(12, "testpmd", "/dev/uio0")
    text = run("bind", "--force", "-n", NIC, root=root)
    assert "--force takes it although process 12 (testpmd) has /dev/uio0 open" in text
    assert "this waits until process 12 (testpmd) has let go" in text
    assert text.index("this waits") < text.index("would take")


# ---- cdi

def test_cdi(root, tmp_path):
    root.device("0000:05:00.0", group=5, driver="vfio-pci")
    spec = json.loads(run("cdi", "--json", "5:0.0", root=root))
    assert spec == {
        "cdiVersion": "0.5.0",
        "kind": "dpdk-ioasid/pci",
        "devices": [{"name": "0000:05:00.0", "containerEdits": {"deviceNodes": [
            {"path": "/dev/vfio/devices/vfio0", "permissions": "rw"}]}}],
        "containerEdits": {
            "env": [f"LD_PRELOAD={PLUGIN}"],
            "deviceNodes": [{"path": "/dev/iommu", "permissions": "rw"}],
            "mounts": [{"hostPath": path, "containerPath": path,
                        "options": ["bind", access, "nosuid", "nodev"]}
                       for path, access in ((PLUGIN, "ro"),)],
        },
    }
    copy = shutil.copy(PLUGIN, tmp_path)
    assert json.loads(json.dumps(spec).replace(PLUGIN, copy)) == json.loads(
        run("cdi", "--json", "5:0.0", root=root, env={"DPDK_IOASID_PLUGIN": os.path.relpath(copy)}))
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(run("cdi", "5:0.0", root=root)) == spec
    file = tmp_path / "spec.yaml"
    assert run("cdi", "--output", str(file), "5:0.0", root=root) == ""
    assert yaml.safe_load(file.read_text()) == spec
    run("cdi", "--output", "/nowhere/spec.yaml", "5:0.0", root=root, status=1)


def test_cdi_of_a_plugin_that_cannot_be_preloaded(root, tmp_path):
    root.device("0000:05:00.0", group=5, driver="vfio-pci")
    (tmp_path / "with blank").mkdir()
    copy = shutil.copy(PLUGIN, tmp_path / "with blank")
    text = run("cdi", "5:0.0", root=root, status=1, env={"DPDK_IOASID_PLUGIN": copy})
    assert "a path with a blank or a colon" in text


def test_cdi_group(root):
    assert "has no VFIO device node" in run("cdi", NIC, root=root, status=1)
    root.device("0000:07:00.0", group=7, driver="vfio-pci")
    root.device("0000:07:00.1", group=7, driver="vfio-pci", class_code=0x010000)
    text = run("cdi", "7:0.0", root=root, status=1)
    assert "refused: shared: others of IOMMU group 7" in text and "-a 0000:07:00.1" in text
    assert "cdiVersion" not in text
    both = json.loads(run("cdi", "-j", "7:0.0", "7:0.1", root=root))
    for device in both["devices"]:
        assert [node["path"] for node in device["containerEdits"]["deviceNodes"]] == [
            "/dev/vfio/devices/vfio0", "/dev/vfio/devices/vfio1"]
    risk = json.loads(run("cdi", "-j", "--allow-insecure-vfio", "7:0.0", root=root, both=False))
    assert risk["devices"][0]["containerEdits"]["deviceNodes"] == [
        {"path": "/dev/vfio/devices/vfio0", "permissions": "rw"}]
    assert "DPDK_IOASID_OPTS=--allow-insecure-vfio" in risk["containerEdits"]["env"]


def test_cdi_refuses_what_is_not_isolated(root):
    """As `check` does."""
    root.device("0000:00:03.0", group=4, class_code=0x060400, bridge=True, acs=0)
    root.device("0000:07:00.0", below="0000:00:03.0", group=7, driver="vfio-pci")
    text = run("cdi", "7:0.0", root=root, status=1)
    assert "refused: exposed: requests from behind 0000:00:03.0" in text
    text = run("cdi", "--allow-insecure-vfio", "7:0.0", root=root)
    assert "at risk: exposed" in text and "cdiVersion" in text
    root.write("sys/kernel/iommu_groups/7/reserved_regions", "0x1000 0x1fff direct\n")
    text = run("cdi", "--allow-insecure-vfio", "7:0.0", root=root, status=1)
    assert "refused: cannot" in text and "cdiVersion" not in text


def test_cdi_shares_no_memory(root):
    """A hugetlbfs of the host's is every container's: DPDK's files in it are root's."""
    root.device("0000:05:00.0", group=5, driver="vfio-pci")
    root.device("0000:06:00.0", group=6, driver="vfio-pci")
    spec = json.loads(run("cdi", "-j", "5:0.0", "6:0.0", root=root))
    assert [mount["options"][1] for mount in spec["containerEdits"]["mounts"]] == ["ro"]
    nodes = [node["path"] for device in spec["devices"]
             for node in device["containerEdits"]["deviceNodes"]]
    assert len(set(nodes)) == len(nodes) == 2
    assert all("mounts" not in device["containerEdits"] for device in spec["devices"])
    assert "huge" not in json.dumps(spec)


def test_cdi_file(root, tmp_path):
    """Whole, for all to read, and through nobody's link."""
    root.device("0000:05:00.0", group=5, driver="vfio-pci")
    directory = tmp_path / "cdi"
    directory.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    file = directory / "ioasid.yaml"
    file.symlink_to(victim)
    (directory / "ioasid.yaml.new").symlink_to(victim)
    mask = os.umask(0o077)
    try:
        run("cdi", "-o", str(file), "5:0.0", root=root)
    finally:
        os.umask(mask)
    assert victim.read_text() == "mine\n" and not file.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert sorted(os.listdir(directory)) == ["ioasid.yaml", "ioasid.yaml.new"]


def test_cdi_outlives_no_boot(root):
    root.device("0000:05:00.0", group=5, driver="vfio-pci")
    text = run("cdi", "-o", "/etc/cdi/dpdk-ioasid.yaml", "5:0.0", root=root, status=1)
    assert "write to /run/cdi" in text


def test_cdi_without_iommufd(root):
    root.device("0000:05:00.0", group=5, driver="vfio-pci")
    root.remove("dev/iommu")
    assert "there is no /dev/iommu" in run("cdi", "5:0.0", root=root, status=1)


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-rs", "-p", "no:cacheprovider", *sys.argv[1:], __file__]))
