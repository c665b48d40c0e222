# SPDX-License-Identifier: BSD-3-Clause
"""The command dpdk-ioasid on the lab's devices; app/test/command has what needs no kernel."""

import grp
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import pci
import plugin
from testpmd import AT_RISK, COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

COMMAND = os.path.join(os.path.dirname(plugin.PLUGIN), "../../../app/dpdk-ioasid/dpdk-ioasid")
ENV = {"DPDK_IOASID_PLUGIN": plugin.PLUGIN}

# What the CDI specification asks of a file, as far as one made here can offend against it.
PATH = {"type": "string", "pattern": "^/"}
EDITS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "env": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z_]+="}},
        "deviceNodes": {"type": "array", "items": {
            "type": "object", "additionalProperties": False, "required": ["path"],
            "properties": {"path": PATH, "permissions": {"enum": ["r", "w", "rw", "rwm"]}}}},
        "mounts": {"type": "array", "items": {
            "type": "object", "additionalProperties": False,
            "required": ["hostPath", "containerPath"],
            "properties": {"hostPath": PATH, "containerPath": PATH,
                           "options": {"type": "array", "items": {"type": "string"}}}}},
    },
}
CDI = {
    "type": "object",
    "additionalProperties": False,
    "required": ["cdiVersion", "kind", "devices"],
    "properties": {
        "cdiVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "kind": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_.-]*/[A-Za-z][A-Za-z0-9_-]*$"},
        "devices": {"type": "array", "minItems": 1, "items": {
            "type": "object", "additionalProperties": False, "required": ["name", "containerEdits"],
            "properties": {"name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:-]*$"},
                           "containerEdits": EDITS}}},
        "containerEdits": EDITS,
    },
}


def run(*args, status=0, **more):
    """The command's output, both streams; it must end with that status."""
    result = subprocess.run([COMMAND, *args], text=True, stdout=subprocess.PIPE, timeout=120,
                            stderr=subprocess.STDOUT, check=False,
                            env=plugin.environment(preload=False, more=ENV), **more)
    print(result.stdout)
    assert result.returncode == status
    return result.stdout


# ---- run

def started(*options):
    """What puts a program under the command."""
    return {"wrapper": [COMMAND, "run", *options, "--"], "preload": False, "env": ENV}


@pytest.mark.one_kernel
def test_run_forwards(lab):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON, **started()) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        for bdf in (lab.NIC0, lab.NIC1):
            assert f"IOASID: {bdf}: IOMMU group {pci.group(bdf)}, vfio" \
                in testpmd.output
        with open(f"/proc/{testpmd.pid}/comm", encoding="ascii") as comm:
            assert comm.read() == "dpdk-testpmd\n"  # the process itself: it was only exec'd
        testpmd.forward(20_000)
        testpmd.quit()


@pytest.mark.one_kernel
def test_run_keeps_the_group_rule(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, app=NOT_STARTED, **started()) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert f"{lab.GROUP_NIC} refused" in testpmd.quit()
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, app=NOT_STARTED,
                 **started("--allow-insecure-vfio")) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC]
        assert f"{AT_RISK}{lab.GROUP_HD}]" in testpmd.output
        # A signal is the program's own, and so is how it ends.
        testpmd.process.send_signal(signal.SIGKILL)
        testpmd.wait_end()
        assert testpmd.process.returncode == -signal.SIGKILL


# ---- check

def kernel_number():
    return tuple(int(number) for number in os.uname().release.split(".")[:2])


def check(*bdfs, status=0):
    """By BDF what `check` says; text and JSON must say the same."""
    text = run("check", *bdfs, status=status)
    result = json.loads(run("check", "--json", *bdfs, status=status))
    sections = re.split(r"^(?=\S)", text, flags=re.M)
    assert len(sections) == 2 + len(result["devices"])  # "" and the machine's
    for device, section in zip(result["devices"], sections[2:]):
        assert section.startswith(f"{device['bdf']} {device['class']}: {device['name']} ")
        for fact in facts(device):
            assert fact in section, f"{fact} is in the JSON only"
    for fact in facts(result["machine"]):
        assert fact in sections[1], f"{fact} is in the JSON only"
    return {device["bdf"]: device for device in result["devices"]}, result["machine"]


def facts(value):
    """All texts in a JSON value; for "others" there is the tree."""
    if isinstance(value, dict):
        return [fact for key, item in value.items() if key != "others" for fact in facts(item)]
    if isinstance(value, list):
        return [fact for item in value for fact in facts(item)]
    return [value] if isinstance(value, str) else []


def test_check_all_groups(lab):
    devices, machine = check("--all")
    assert {bdf for bdf in os.listdir(pci.DEVICES) if pci.read(bdf, "class")[:6] != "0x0604"} \
        == set(devices)
    for bdf, device in devices.items():
        assert device["group"]["number"] == pci.group(bdf)
        others = [other for other in pci.members(bdf)
                  if other != bdf and pci.read(other, "class")[:6] != "0x0604"]
        assert [other["bdf"] for other in device["others"]] == others
        assert device["verdict"] == ("shared" if others else "isolated"), device["reason"]
    for bdf, other in ((lab.GROUP_NIC, lab.GROUP_HD), (lab.EDU_NIC, lab.EDU)):
        assert f"-a {other}" in devices[bdf]["reason"]
        assert f"dpdk-ioasid bind {bdf} {other}" in devices[bdf]["next"]
        [bridge] = devices[bdf]["group"]["tree"]
        assert bridge["member"] and bridge["state"] == "bridge, exempt" and bridge["acs"] is False
        assert [child["bdf"] for child in bridge["children"]] == [bdf, other]
    [port] = devices[lab.NIC0]["group"]["tree"]
    assert not port["member"] and port["acs"]["request_redirect"] is True
    assert devices[lab.NIC0]["cdev"] == pci.cdev(lab.NIC0)
    assert devices[lab.NIC0]["next"] == [
        f"dpdk-ioasid run -- dpdk-testpmd -a {lab.NIC0} --iova-mode=va -- -i"]
    assert machine["kernel"] == os.uname().release
    kernel = kernel_number()
    assert machine["iommufd"] == {"node": "/dev/ioasid", "node_access": True, "cdev": True,
                                  "map_file": kernel >= (6, 13), "vf_token": kernel >= (6, 17)}
    assert machine["iommus"] == [{"name": "dmar0", "type": "intel-iommu", "width": 48}]
    assert machine["interrupts"] == {"remapped": True, "unsafe_allowed": False}
    assert machine["plugin"]["path"] == plugin.PLUGIN


@pytest.mark.one_kernel
def test_check_exit_status_and_other_user(lab):
    assert "isolated" in run("check", lab.NIC0)
    run("check", lab.NIC0, lab.GROUP_NIC, status=1)
    text = run("check", lab.NIC0, user=65534, group=65534, extra_groups=[])
    assert "may not be opened" in text and "ACS unknown (root can read it)" in text
    assert f"sudo chown nobody /dev/ioasid {pci.cdev(lab.NIC0)}" in text
    assert f" dpdk-ioasid run -- dpdk-testpmd -a {lab.NIC0} --iova-mode=va --in-memory -- -i" in text


# ---- bind, unbind

def test_bind_and_unbind(lab):
    text = run("bind", lab.GROUP_NIC)
    assert pci.driver(lab.GROUP_NIC) == "vfio-pci" and pci.driver(lab.GROUP_HD) is None
    for bdf in pci.members(lab.GROUP_NIC):
        assert f"\n  {bdf} " in text
    assert f"  dpdk-ioasid bind {lab.GROUP_HD}\n" in text
    assert "must be bound" not in run("bind", lab.GROUP_NIC, lab.GROUP_HD)
    assert pci.driver(lab.GROUP_HD) == "vfio-pci"
    run("unbind", lab.GROUP_NIC)
    assert pci.driver(lab.GROUP_NIC) != "vfio-pci"
    assert pci.read(lab.GROUP_NIC, "driver_override") == "(null)"
    assert pci.driver(lab.GROUP_HD) == "vfio-pci"


@pytest.mark.one_kernel
def test_unbind_refuses_a_device_in_use(lab):
    """vfio-pci would wait until the program has let go of it."""
    node = pci.cdev(lab.NIC0)
    fd = os.open(node, os.O_RDWR)
    with subprocess.Popen(["sleep", "600"], stdin=fd) as holder:
        os.close(fd)
        text = run("unbind", lab.NIC0, status=1)
        assert f"process {holder.pid} (sleep) has {node} open" in text
        holder.kill()


@pytest.mark.one_kernel
def test_bind_nic_with_an_address(lab):
    """Its own driver has the NIC, and the system uses it."""
    run("unbind", lab.NIC0)
    [name] = os.listdir(pci.path(lab.NIC0, "net"))
    ip = ["ip", "address", "add", "192.0.2.99/24", "dev", name]
    subprocess.run(ip, check=True)
    text = run("bind", lab.NIC1, lab.NIC0, status=1)
    assert f"{lab.NIC0}: is in use, network interface {name} has the address 192.0.2.99" in text
    assert pci.driver(lab.NIC0) == "igb"
    assert "has the address 192.0.2.99" in run("check", lab.NIC0)
    run("bind", "--force", lab.NIC0)
    assert pci.driver(lab.NIC0) == "vfio-pci"


# ---- udev's rules, as udev reads them

@pytest.fixture
def udev_rules():
    """As installed: the rules, and the group that they name."""
    subprocess.run(["groupadd", "--system", "vfio"], check=True)
    os.makedirs("/run/udev/rules.d", exist_ok=True)
    rules = shutil.copy("udev/60-dpdk-ioasid.rules", "/run/udev/rules.d")
    yield
    os.unlink(rules)
    subprocess.run(["groupdel", "vfio"], check=True)


@pytest.mark.one_kernel
def test_udev_rules(lab, udev_rules):
    group = grp.getgrnam("vfio").gr_gid
    cdev = os.path.basename(pci.cdev(lab.NIC0))
    for path in ("/sys/class/misc/iommu", f"/sys/class/vfio-dev/{cdev}"):
        text = subprocess.run(["udevadm", "test", path], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        print(text)
        said = re.findall(r"60-dpdk-ioasid.rules:\d+ (.*)", text)
        assert f"GROUP {group}" in said and "MODE 0660" in said
        assert ("LINK 'ioasid'" in said) == path.endswith("iommu")


# ---- bench

def bench(bdf, *options):
    """What it measures of 64 MiB, by way."""
    result = json.loads(run("bench", bdf, "--size=64M", "--repeat=1", "--json", *options))
    [size] = result["sizes"]
    assert (result["device"], result["repeat"], size["mib"]) == (bdf, 1, 64)
    return {way["way"]: way for way in size["ways"]}


def test_bench(lab, tmp_path):
    plot = ["--svg", str(tmp_path / "map.svg")] if shutil.which("gnuplot") else []
    ways = bench(lab.NIC0, *plot)
    by_file = {ways.pop("file_page")["error"], ways.pop("file_all")["error"]} \
        if kernel_number() < (6, 13) else set()
    assert by_file <= {"not in this kernel"}
    assert set(ways) >= {"type1_page", "type1_all", "address_page", "address_all"}
    for name, way in ways.items():
        assert way["calls"] == (1 if name.endswith("_all") else 32)
        assert way["entries"] == {"4K": 0, "2M": 32, "1G": 0}
        assert way["pinned_bytes"] == 64 << 20
    if plot:
        with open(plot[1], encoding="utf-8") as file:
            svg = file.read()
        assert all(way["text"] in svg for way in ways.values())


# ---- cdi

@pytest.mark.one_kernel
def test_cdi(lab):
    jsonschema = pytest.importorskip("jsonschema")
    text = run("cdi", lab.NIC0, lab.GROUP_NIC, status=1)
    assert f"{lab.GROUP_NIC}: has no VFIO device node: dpdk-ioasid bind {lab.GROUP_NIC}" in text
    run("bind", lab.GROUP_NIC, lab.GROUP_HD)
    text = run("cdi", lab.GROUP_NIC, status=1)
    assert f"{lab.GROUP_NIC}: refused: {lab.GROUP_HD} of its IOMMU group" in text
    spec = json.loads(run("cdi", "--json", lab.NIC0, lab.GROUP_NIC, lab.GROUP_HD))
    jsonschema.validate(spec, CDI)
    nodes = {device["name"]: [node["path"] for node in device["containerEdits"]["deviceNodes"]]
             for device in spec["devices"]}
    group = [pci.cdev(lab.GROUP_NIC), pci.cdev(lab.GROUP_HD)]
    assert nodes == {lab.NIC0: [pci.cdev(lab.NIC0)], lab.GROUP_NIC: group, lab.GROUP_HD: group}
    assert [node["path"] for node in spec["containerEdits"]["deviceNodes"]] == ["/dev/iommu"]
    for device in spec["devices"] + [spec]:
        for node in device["containerEdits"]["deviceNodes"]:
            assert os.path.exists(node["path"])
    for mount in spec["containerEdits"]["mounts"]:
        assert os.path.exists(mount["hostPath"])
