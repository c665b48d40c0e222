# SPDX-License-Identifier: BSD-3-Clause
"""The command dpdk-ioasid on the lab's devices; app/test/command has what needs no kernel."""

import errno
import grp
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import pci
import plugin
import qmp
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


with open("doc/guides/check.schema.json", encoding="utf-8") as schema:
    SCHEMA = json.load(schema)


def check(*bdfs, status=0):
    """By BDF what `check` says; text and JSON must say the same."""
    jsonschema = pytest.importorskip("jsonschema")
    text = run("check", *bdfs, status=status)
    result = json.loads(run("check", "--json", *bdfs, status=status))
    jsonschema.validate(result, SCHEMA)
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
    """All texts in a JSON value that a user wants to read: findings are in the notes."""
    if isinstance(value, dict):
        return [fact for key, item in value.items()
                if key not in ("others", "findings", "parameter") for fact in facts(item)]
    if isinstance(value, list):
        return [fact for item in value for fact in facts(item)]
    return [value] if isinstance(value, str) else []


def test_check_all_groups(lab):
    devices, machine = check("--all")
    assert {bdf for bdf in os.listdir(pci.DEVICES)
            if pci.read(bdf, "class")[:6] not in ("0x0604", "0x0600")} == set(devices)
    for bdf, device in devices.items():
        assert device["group"]["number"] == pci.group(bdf)
        others = [other for other in pci.members(bdf)
                  if other != bdf and pci.read(other, "class")[:6] not in ("0x0604", "0x0600")]
        assert device["others"] == others
        if device["name"].startswith("Red Hat, Inc. Virtio") or "0000:00:1f.0" in others + [bdf]:
            # The lab's own devices go past the IOMMU; the chipset has the LPC bridge.
            assert device["verdict"] == "cannot" and not device["next"], device["reason"]
        else:
            assert device["verdict"] == ("shared" if others else "isolated"), device["reason"]
    for bdf, other in ((lab.GROUP_NIC, lab.GROUP_HD), (lab.EDU_NIC, lab.EDU)):
        assert f"-a {other}" in devices[bdf]["reason"]
        assert f"dpdk-ioasid bind {bdf} {other}" in devices[bdf]["next"]
        [bridge] = devices[bdf]["group"]["tree"]
        assert bridge["member"] and bridge["state"] == "bridge, exempt" and bridge["acs"] is False
        assert [child["bdf"] for child in bridge["children"]] == [bdf, other]
    [port] = devices[lab.NIC0]["group"]["tree"]
    assert not port["member"] and port["acs"]["request_redirect"] is True
    assert devices[lab.NIC0]["cdev"] == {"path": pci.cdev(lab.NIC0), "there": True, "access": True}
    assert devices[lab.NIC0]["next"] == [
        f"dpdk-ioasid run -- dpdk-testpmd -a {lab.NIC0} --iova-mode=va -- -i"]
    assert machine["kernel"] == os.uname().release
    kernel = kernel_number()
    assert machine["iommufd"] == {"node": {"path": "/dev/ioasid", "there": True, "access": True},
                                  "in_kernel": True, "cdev": True, "map_file": kernel >= (6, 13),
                                  "vf_token": kernel >= (6, 17)}
    assert machine["iommus"] == [{"name": "dmar0", "type": "intel-iommu", "width": 48}]
    assert machine["interrupts"] == {"remapped": True, "unsafe_allowed": False,
                                     "parameter": "iommufd.allow_unsafe_interrupts"}
    assert machine["plugin"]["path"] == plugin.PLUGIN


@pytest.mark.one_kernel
def test_check_exit_status_and_other_user(lab):
    assert "isolated" in run("check", lab.NIC0)
    run("check", lab.NIC0, lab.GROUP_NIC, status=1)
    text = run("check", lab.NIC0, status=1, user=65534, group=65534, extra_groups=[])
    assert "may not be opened" in text and "unknown ACS" in text
    assert f"next                 sudo dpdk-ioasid check {lab.NIC0}\n" in text


@pytest.mark.one_kernel
def test_check_node_that_its_mode_would_allow(lab, tmp_path):
    """As where a security module or the container's list of devices says no: a nodev mount."""
    number = os.stat("/dev/ioasid").st_rdev
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nodev", "none", tmp_path], check=True)
    os.mknod(tmp_path / "node", 0o20666, number)
    os.chmod(tmp_path / "node", 0o666)
    subprocess.run(["mount", "--bind", tmp_path / "node", "/dev/ioasid"], check=True)
    try:
        text = run("check", lab.NIC0)
    finally:
        subprocess.run(["umount", "/dev/ioasid", tmp_path], check=True)
    assert "root (root) may not open /dev/ioasid: its owner and mode would allow it" in text
    assert "dpdk-ioasid run" not in text


@pytest.mark.one_kernel
def test_check_acs_switched_off(lab):
    """What the kernel found at boot need not be so any more: as setpci does it for GPUDirect."""
    port = os.path.basename(os.path.dirname(os.path.realpath(pci.path(lab.NIC0))))
    on = subprocess.run(["setpci", "-s", port, "ECAP_ACS+6.w"], check=True, text=True,
                        stdout=subprocess.PIPE).stdout.strip()
    assert int(on, 16) & 0x1d == 0x1d
    subprocess.run(["setpci", "-s", port, "ECAP_ACS+6.w=0"], check=True)
    try:
        text = run("check", lab.NIC0, status=1)
        assert f"exposed: requests from behind {port}" in text and "dpdk-ioasid run" not in text
        assert "exposed" in run("cdi", lab.NIC0, status=1)
    finally:
        subprocess.run(["setpci", "-s", port, f"ECAP_ACS+6.w={on}"], check=True)
    run("check", lab.NIC0)


@pytest.mark.one_kernel
def test_check_a_set(lab):
    devices, _ = check(lab.GROUP_NIC, lab.GROUP_HD)
    assert {device["verdict"] for device in devices.values()} == {"complete"}


# ---- devices that are plugged in for a test

def plug(driver, **more):
    """In a port of its own; its BDF, once the kernel has it."""
    before = set(os.listdir(pci.DEVICES))
    qmp.command("device_add", driver=driver, id="plugged", bus="hotplug0", **more)
    for _ in range(600):
        new = set(os.listdir(pci.DEVICES)) - before
        if new:
            # Which waits for whoever has found it: until then it is not complete.
            pci.write("/sys/bus/pci/rescan", "1")
            return new.pop()
        time.sleep(0.1)
    raise AssertionError("the device did not come")


def unplug(bdf):
    qmp.command("device_del", id="plugged")
    for _ in range(600):
        if not os.path.exists(pci.path(bdf)) and not qmp.has("plugged"):
            return
        time.sleep(0.1)
    raise AssertionError("the device did not go")


@pytest.mark.one_kernel
@pytest.mark.parametrize("translated", [False, True])
def test_virtio(lab, translated):
    """Whether its DMA goes through the IOMMU, asked of the device on vfio-pci and unbound."""
    more = {"iommu_platform": True, "disable-legacy": "on"} if translated else {}
    bdf = plug("virtio-net-pci", romfile="", **more)
    try:
        pci.bind(bdf, "vfio-pci")
        for unbound in (False, True):
            if unbound:
                pci.unbind(bdf)
            text = run("check", bdf, status=0 if translated else 1)
            assert ("isolated" if translated else f"the DMA of {bdf} bypasses the IOMMU") in text
        if not translated:
            assert "bypasses the IOMMU" in run("bind", bdf, status=1)
            assert pci.driver(bdf) is None
        pci.bind(bdf, "vfio-pci")
        with subprocess.Popen(["sleep", "600"], stdin=os.open(pci.cdev(bdf), os.O_RDWR)) as holder:
            # Nobody may disturb who has it.
            assert "verdict              unknown" in run("check", bdf, status=1)
            holder.kill()
    finally:
        for fd in os.listdir("/proc/self/fd"):
            if os.path.islink(f"/proc/self/fd/{fd}") and \
                    os.readlink(f"/proc/self/fd/{fd}").startswith("/dev/vfio/devices"):
                os.close(int(fd))
        unplug(bdf)


def claim_disk(node):
    """Opened for itself; the node is there some time before the disk is."""
    for _ in range(600):
        try:
            return os.open(node, os.O_RDONLY | os.O_EXCL)
        except OSError as error:
            assert error.errno in (errno.ENOENT, errno.ENXIO)
            time.sleep(0.1)
    raise AssertionError(f"{node} did not come")


@pytest.mark.one_kernel
def test_bind_a_disk_that_is_claimed(lab):
    """As ZFS does it, btrfs for its second disk, a database: no mount, no holder, no swap."""
    qmp.command("blockdev-add", driver="null-co", **{"node-name": "disk", "size": 1 << 30,
                                                      "read-zeroes": True})
    bdf = plug("nvme", serial="x", drive="disk")
    try:
        claim = claim_disk("/dev/nvme0n1")
        text = run("bind", bdf, status=1)
        assert "disk nvme0n1 is claimed by" in text and pci.driver(bdf) == "nvme"
        assert "disk nvme0n1 is claimed by" in run("check", bdf)
        os.close(claim)
        run("bind", bdf)
        assert pci.driver(bdf) == "vfio-pci"
    finally:
        unplug(bdf)
        qmp.command("blockdev-del", **{"node-name": "disk"})


# ---- bind, unbind

def test_bind_and_unbind(lab):
    text = run("bind", lab.GROUP_NIC)
    assert pci.driver(lab.GROUP_NIC) == "vfio-pci" and pci.driver(lab.GROUP_HD) is None
    for bdf in pci.members(lab.GROUP_NIC):
        assert f"\n  {bdf} " in text
    assert f"  dpdk-ioasid bind {lab.GROUP_HD}\n" in text
    text = run("bind", lab.GROUP_NIC, lab.GROUP_HD)
    assert "dpdk-ioasid bind" not in text and f"{lab.GROUP_HD}: complete: all devices of" in text
    assert pci.driver(lab.GROUP_HD) == "vfio-pci"
    # Other tools trip over what is left behind: dpdk-devbind.py gives it back.
    for bdf in (lab.GROUP_NIC, lab.GROUP_HD):
        assert pci.read(bdf, "driver_override") == "(null)"
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
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
        packets.bind((name, socket.ntohs(3)))
        assert f"process {os.getpid()} (python3) has a packet socket on network interface {name}" \
            in run("bind", lab.NIC0, status=1)
    run("bind", "--force", lab.NIC0)
    assert pci.driver(lab.NIC0) == "vfio-pci"


@pytest.mark.one_kernel
def test_bind_nic_with_an_xdp_program(lab, tmp_path):
    """It has no address, and passes packets."""
    if not shutil.which("clang"):
        pytest.skip("no compiler for BPF here (clang)")
    source, program = tmp_path / "pass.c", tmp_path / "pass.o"
    source.write_text('__attribute__((section("xdp"), used)) int pass(void *c) { return 2; }\n'
                      'char text[] __attribute__((section("license"), used)) = "BSD";\n')
    subprocess.run(["clang", "-O2", "-target", "bpf", "-c", source, "-o", program], check=True)
    run("unbind", lab.NIC0)
    [name] = os.listdir(pci.path(lab.NIC0, "net"))
    assert "isolated" in run("check", lab.NIC0) and "XDP" not in run("check", lab.NIC0)
    subprocess.run(["ip", "link", "set", name, "xdpgeneric", "obj", program, "sec", "xdp"],
                   check=True)
    text = run("bind", lab.NIC0, status=1)
    assert f"an XDP program has the packets of network interface {name}" in text
    assert pci.driver(lab.NIC0) == "igb"
    subprocess.run(["ip", "link", "set", name, "xdpgeneric", "off"], check=True)
    run("bind", lab.NIC0)


@pytest.mark.one_kernel
def test_bind_all_or_none(lab):
    """The second device's override goes nowhere, so vfio-pci does not take it."""
    run("unbind", lab.NIC0, lab.NIC1)
    override = pci.path(lab.NIC1, "driver_override")
    subprocess.run(["mount", "--bind", "/dev/null", override], check=True)
    try:
        text = run("bind", lab.NIC0, lab.NIC1, status=1)
    finally:
        subprocess.run(["umount", override], check=True)
    assert f"{lab.NIC1}: vfio-pci did not take it" in text
    assert f"{lab.NIC0}: is back on igb" in text
    for bdf in (lab.NIC0, lab.NIC1):
        assert pci.driver(bdf) == "igb" and pci.read(bdf, "driver_override") == "(null)"
    # By the names of their interfaces.
    names = [os.listdir(pci.path(bdf, "net"))[0] for bdf in (lab.NIC0, lab.NIC1)]
    assert f"would take {lab.NIC0} from igb" in run("bind", "-n", *names)
    assert pci.driver(lab.NIC0) == "igb"
    run("bind", *names)
    assert pci.driver(lab.NIC0) == pci.driver(lab.NIC1) == "vfio-pci"


@pytest.mark.one_kernel
def test_unbind_what_vfio_takes_again(lab):
    """An id in new_id: every device of it is vfio-pci's."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.write("/sys/bus/pci/drivers/vfio-pci/new_id", "8086 100e")
    try:
        text = run("unbind", lab.GROUP_NIC, status=1)
        assert "vfio-pci has taken it again" in text and pci.driver(lab.GROUP_NIC) == "vfio-pci"
    finally:
        [words] = re.findall(r"`echo (8086 100e) >(\S+)`", text)
        pci.write(words[1], words[0])
    run("unbind", lab.GROUP_NIC)
    assert pci.driver(lab.GROUP_NIC) != "vfio-pci"


@pytest.mark.one_kernel
def test_bind_interface_of_a_pod(lab):
    """It is in another network namespace: sysfs shows nothing of it."""
    run("unbind", lab.NIC1)
    [name] = os.listdir(pci.path(lab.NIC1, "net"))
    subprocess.run(["ip", "netns", "add", "pod"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "netns", "pod"], check=True)
        text = run("bind", lab.NIC1, status=1)
        assert f"another network namespace (a container, a pod): {name} of /run/netns/pod" in text
        assert pci.driver(lab.NIC1) == "igb"
        with subprocess.Popen(["ip", "netns", "exec", "pod", "sleep", "600"]) as pod:
            time.sleep(1)
            assert f"{name} of process {pod.pid} (sleep)" in run("check", lab.NIC1)
            pod.kill()
    finally:
        subprocess.run(["ip", "netns", "del", "pod"], check=True)
        for _ in range(600):  # the interface comes back
            if os.path.exists(pci.path(lab.NIC1, f"net/{name}")):
                break
            time.sleep(0.1)
    run("bind", lab.NIC1)


@pytest.mark.one_kernel
def test_bind_with_virtual_functions(lab):
    """The kernel would wait until the last program has let go of one."""
    run("unbind", lab.NIC0)
    pci.write(pci.path(lab.NIC0, "sriov_numvfs"), "1")
    try:
        vf = os.path.basename(os.readlink(pci.path(lab.NIC0, "virtfn0")))
        assert f"{vf} would go away" in run("bind", lab.NIC0, status=1)
        pci.bind(vf, "vfio-pci")
        fd = os.open(pci.cdev(vf), os.O_RDWR)
        with subprocess.Popen(["sleep", "600"], stdin=fd) as holder:
            os.close(fd)
            text = run("bind", lab.NIC0, status=1)
            assert f"its virtual function {vf} is in use, process {holder.pid} (sleep)" in text
            holder.kill()
        assert pci.driver(lab.NIC0) == "igb"
    finally:
        pci.write(pci.path(lab.NIC0, "sriov_numvfs"), "0")


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


def udev_says(path):
    text = subprocess.run(["udevadm", "test", path], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    print(text)
    return re.findall(r"6[01]-dpdk.*.rules:\d+ (.*)", text)


@pytest.mark.one_kernel
def test_udev_rules(lab, udev_rules):
    """The alias and its group; of devices only those that somebody names, as the file shows."""
    group = grp.getgrnam("vfio").gr_gid
    cdevs = [f"/sys/class/vfio-dev/{os.path.basename(pci.cdev(bdf))}" for bdf in (lab.NIC0, lab.NIC1)]
    said = udev_says("/sys/class/misc/iommu")
    assert f"GROUP {group}" in said and "MODE 0660" in said and "LINK 'ioasid'" in said
    assert not udev_says(cdevs[0])
    with open("udev/60-dpdk-ioasid.rules", encoding="ascii") as file:
        [example] = re.findall(r"^# (SUBSYSTEM.*)$", file.read(), re.M)
    own = "/run/udev/rules.d/61-dpdk.rules"
    pci.write(own, re.sub(r"KERNELS==\"[^\"]*\"", f'KERNELS=="{lab.NIC0}"', example) + "\n")
    try:
        said = udev_says(cdevs[0])
        assert f"GROUP {group}" in said and "MODE 0660" in said
        assert not udev_says(cdevs[1])
    finally:
        os.unlink(own)


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
    tables = os.path.exists("/sys/kernel/debug/iommu/intel")
    for name, way in ways.items():
        assert way["calls"] == (1 if name.endswith("_all") else 32)
        assert way["entries"] == ({"4K": 0, "2M": 32, "1G": 0} if tables else None)
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
    assert f"{lab.GROUP_NIC}: refused: shared: others of IOMMU group" in text
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


def container(spec, shared):
    """What puts a program where it has what a specification gives, and of the host no hugetlbfs
    (unless `shared`), and its own /run: a wrapper for it, and its environment."""
    script = ["mount -t tmpfs none /run"] if shared else ["mount -t tmpfs none /run",
                                                          "umount /dev/hugepages"]
    for mount in spec["containerEdits"]["mounts"]:
        script.append(f"mount --bind {mount['hostPath']} {mount['containerPath']}")
    wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
               "; ".join([*script, 'exec "$@"']), "sh", "env", *spec["containerEdits"]["env"]]
    return {"wrapper": wrapper, "preload": False}


def memory_of(pid):
    """The hugepages of a process: the files that they are of, with their numbers."""
    with open(f"/proc/{pid}/smaps", encoding="ascii") as smaps:
        text = smaps.read()
    areas = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M)
    return {tuple(area.split("\n")[0].split()[3:5]) for area in areas
            if "KernelPageSize:     2048 kB" in area}


@pytest.mark.one_kernel
@pytest.mark.parametrize("shared", [False, True])
def test_cdi_containers_share_no_memory(lab, shared):
    """With the documented set-up two containers map no page in common, and find no file of the
    other's. (With the host's hugetlbfs in both they do: that this test can tell.)"""
    spec = json.loads(run("cdi", "--json", lab.NIC0, lab.NIC1))
    if shared:
        memory = ["--single-file-segments", "--iova-mode=va", "-m", "64"]
    else:
        memory = ["--in-memory", "--iova-mode=va", "-m", "64"]
    options = {"app": NOT_STARTED, **container(spec, shared)}
    with Testpmd(*allow(lab.NIC0), *memory, **options) as one, \
            Testpmd(*allow(lab.NIC1), *memory, **options) as other:
        one.started()
        assert one.ports() == [lab.NIC0]
        if shared:  # the other will overwrite its memory: it must not compute with that
            one.process.send_signal(signal.SIGSTOP)
        other.started()
        assert other.ports() == [lab.NIC1]
        pages = [memory_of(testpmd.pid) for testpmd in (one, other)]
        assert all(pages)
        assert bool(pages[0] & pages[1]) == shared
        for testpmd in (one, other):
            with open(f"/proc/{testpmd.pid}/mounts", encoding="ascii") as mounts:
                assert (" hugetlbfs " in mounts.read()) == shared
        for testpmd in (other, one):
            if shared:  # no more than an end is left
                testpmd.kill()
            else:
                testpmd.quit()
