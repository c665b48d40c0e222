# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-ioasid on machines that are only files: `meson test command`.

What needs a kernel is in devtools/tests/test_command.py.
"""

import json
import os
import resource
import shutil
import subprocess
import sys

import pytest

from command import SCHEMA, check, finding, needs_pmd, run, untouched
from fake_root import abi
from place import COMMAND, PLUGIN
from two_groups import GROUP_HD, GROUP_NIC, NIC, PORT, root  # noqa: F401 (a fixture)

# ---- the command itself

def test_help():
    text = run("--help")
    for name in ("run", "check", "bind", "unbind", "bench", "cdi", "dts-tree"):
        assert f"\n  {name} " in text
        own = run(name, "--help")
        assert own.startswith(f"Usage: dpdk-ioasid {name} ")
        assert "Exit status:" in own


def test_not_understood():
    assert 'no subcommand "walk"' in run("walk", status=2)
    assert run("", status=2).startswith("Usage")
    for name in ("check", "bind", "unbind", "cdi"):
        assert "not a PCI address" in run(name, "nosuchinterface", status=2)
        assert "there is no PCI device 0000:7f:00.0" in run(name, "7f:00.0", status=2)
        run(name, "--nonsense", status=2)
    for name in ("bind", "unbind", "cdi"):
        assert "which device?" in run(name, status=2)
    for name in ("bench", "dts-tree"):
        run(name, "--nonsense", status=2)
    assert run("--version").startswith("dpdk-ioasid 0.")


def complete(*words):
    """What bash would offer for the last of the words."""
    script = os.path.join(os.path.dirname(__file__), "../../dpdk-ioasid/dpdk-ioasid.bash")
    shell = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dpdk_ioasid; '
             'printf "%s\\n" "${COMPREPLY[@]}"')
    out = subprocess.run(["bash", "-c", shell, "bash", script, *words], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return sorted(out.split())


def test_completion():
    assert complete("dpdk-ioasid", "") == [
        "bench", "bind", "cdi", "check", "dts-tree", "guard", "run", "unbind"]
    assert complete("dpdk-ioasid", "--v") == ["--version"]
    assert complete("dpdk-ioasid", "u") == ["unbind"]
    assert complete("dpdk-ioasid", "check", "--j") == ["--json"]
    assert complete("dpdk-ioasid", "bind", "--d") == ["--dry-run"]
    assert complete("dpdk-ioasid", "run", "--ioasid-mode", "") == ["auto", "container", "native"]
    assert "dpdk-testpmd" in complete("dpdk-ioasid", "run", "--", "dpdk-test")
    assert complete("dpdk-ioasid", "run", "--ioasid-d") == ["--ioasid-dev"]
    assert complete("dpdk-ioasid", "bench", "--s") == ["--size", "--svg"]
    assert complete("dpdk-ioasid", "bench", "--page-size", "") == ["1G", "2M"]
    assert complete("dpdk-ioasid", "bench", "--size", "") == []
    assert complete("dpdk-ioasid", "cdi", "-o", "/etc/hostn") == ["/etc/hostname"]
    assert complete("dpdk-ioasid", "dts-tree", "--st") == ["--stock"]
    assert complete("dpdk-ioasid", "dts-tree", "/et") == ["/etc"]
    assert complete("dpdk-ioasid", "guard", "") == [
        "--help", "allow", "deny", "log", "start", "status", "stop"]
    assert complete("dpdk-ioasid", "guard", "allow", "") == ["cgroup", "device", "group", "uid"]
    assert complete("dpdk-ioasid", "guard", "start", "--rule", "") == ["alone", "bound", "joined"]
    assert complete("dpdk-ioasid", "guard", "log", "--n") == ["--no-follow"]
    assert complete("dpdk-ioasid", "nosuch", "") == []


def test_completion_of_devices():
    """A colon ends a word for readline: the words are put together, the reply is the rest."""
    devices = sorted(os.listdir("/sys/bus/pci/devices"))
    if not devices:
        pytest.skip("no PCI devices here")
    offered = complete("dpdk-ioasid", "check", "")
    interfaces = [name for name in os.listdir("/sys/class/net")
                  if "/pci" in os.path.realpath(f"/sys/class/net/{name}")]
    assert offered == sorted(devices + interfaces)
    domain, bus, rest = devices[0].split(":")
    assert rest in complete("dpdk-ioasid", "bind", domain, ":", bus, ":", rest[0])


# ---- run

def test_run_refuses_what_it_cannot_serve(tmp_path):
    assert "does not use DPDK's shared libraries" in run("run", "--", "/bin/ls", status=125)
    assert "nosuchprogram: No such file" in run("run", "nosuchprogram", status=127)
    assert "Permission denied" in run("run", "/etc/passwd", status=126)
    assert "which application?" in run("run", "--", status=125)
    run("run", "--nonsense", "--", "dpdk-testpmd", status=125)
    assert "white space" in run("run", "--ioasid-dev", "/dev/a b", "dpdk-testpmd", status=125)
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexec dpdk-testpmd\n")
    script.chmod(0o755)
    assert "is a script" in run("run", str(script), status=125)


def test_run_refuses_a_static_program(tmp_path):
    source, program = tmp_path / "static.c", tmp_path / "static"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-static", "-o", program, source], check=True)
    assert "librte_iommu_ioasid.a" in run("run", str(program), status=125)


def test_run_looks_for_a_plugin_of_the_same_abi(tmp_path):
    """A plugin for another DPDK: an object that needs a librte_eal.so.99."""
    (tmp_path / "empty.c").write_text("")
    eal, other = tmp_path / "librte_eal.so.99", tmp_path / "other.so"
    compiler = ["cc", "-shared", "-o"]
    subprocess.run([*compiler, eal, "-Wl,-soname,librte_eal.so.99", tmp_path / "empty.c"],
                   check=True)
    subprocess.run([*compiler, other, tmp_path / "empty.c", "-Wl,--no-as-needed", eal], check=True)
    text = run("run", "dpdk-testpmd", status=125, env={"DPDK_IOASID_PLUGIN": str(other)})
    assert "is for ABI 99" in text and "uses DPDK's ABI " in text
    text = run("run", "dpdk-testpmd", status=125, env={"DPDK_IOASID_PLUGIN": "/nowhere/x.so"})
    assert "is not in /nowhere/x.so" in text


@pytest.mark.skipif(os.environ.get("DPDK_IOASID_SANITIZED") == "1",
                    reason="a plugin with sanitizers cannot be preloaded into other programs")
def test_run_changes_the_environment_only():
    """The application's --help lists the plugin's options; what was preloaded stays so."""
    text = run("run", "--allow-insecure-vfio", "--", "dpdk-testpmd", "--help", status=0)
    assert "--ioasid-mode" in text
    text = run("run", "--ioasid-mode=nonsense", "dpdk-testpmd", "--no-pci", "--no-huge",
               status=1, env={"DPDK_IOASID_OPTS": "--allow-insecure-vfio"})
    assert '--ioasid-mode "nonsense": give auto, native or container' in text


# ---- check

def test_check_isolated(root):
    devices, machine = check(root, NIC)
    [device] = devices.values()
    assert device["verdict"] == "isolated"
    assert device["group"]["number"] == 2 and device["group"]["iommu"] == "dmar0"
    assert device["group"]["type"] == "DMA-FQ" and device["numa_node"] == 0
    assert device["group"]["reserved"] == [
        {"start": "0xfee00000", "last": "0xfeefffff", "type": "msi"}]
    assert device["next"] == [
        f"dpdk-ioasid bind {NIC}",
        f"dpdk-ioasid run -- dpdk-testpmd -a {NIC} --iova-mode=va -- -i"]
    # A user without root binds by sudo; there is no node yet that he could be given.
    root.write("proc/self/status", "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000004000\n")
    device = check(root, NIC)[0][NIC]
    assert device["next"] == [f"sudo dpdk-ioasid bind {NIC}", f"dpdk-ioasid check {NIC}"]
    assert machine["kernel"] == "6.12.1-fake"
    assert machine["iommus"] == [{"name": "dmar0", "type": "intel-iommu", "width": 48}]
    assert machine["interrupts"]["remapped"] is True
    assert [dpdk["releases"] for dpdk in machine["dpdk"]] == [f"{abi() - 1}.11 to {abi()}.07"]
    assert machine["plugin"]["path"] == PLUGIN


def test_check_tree_and_acs(root):
    devices, _ = check(root, NIC)
    [port] = devices[NIC]["group"]["tree"]
    assert (port["bdf"], port["member"], port["state"]) == (PORT, False, "not in the group")
    assert port["acs"] == {"source_validation": True, "request_redirect": True,
                           "completion_redirect": True, "upstream_forwarding": True}
    [nic] = port["children"]
    assert (nic["bdf"], nic["member"], nic["state"]) == (NIC, True, "this device")
    assert not nic["children"]


def test_check_shared(root):
    devices, _ = check(root, GROUP_NIC, status=1)
    device = devices[GROUP_NIC]
    assert device["verdict"] == "shared" and f"-a {GROUP_HD}" in device["reason"]
    assert device["others"] == [GROUP_HD]
    [bridge] = device["group"]["tree"]
    assert (bridge["state"], bridge["acs"]) == ("bridge, exempt", False)
    states = {child["bdf"]: child["state"] for child in bridge["children"]}
    assert states[GROUP_HD].startswith("at risk unless named: unbound")
    assert f"dpdk-ioasid bind {GROUP_NIC} {GROUP_HD}" in device["next"][0]
    if os.geteuid() == 0:
        assert f"-a {GROUP_NIC} -a {GROUP_HD} --iova-mode=va" in device["next"][-1]


def test_check_disk_of_the_group_in_use(root):
    """The NIC-and-disk case: no software can help."""
    root.disk(root.hd, "sdx")
    root.mount("9 1 8:0 / /home rw - ext4 /dev/sdx rw")
    devices, _ = check(root, GROUP_NIC, status=1)
    assert devices[GROUP_NIC]["verdict"] == "cannot"
    assert "disk sdx is mounted at /home" in devices[GROUP_NIC]["reason"]
    assert "move the card" in devices[GROUP_NIC]["reason"]
    assert not devices[GROUP_NIC]["next"]


def test_check_sibling_on_a_kernel_driver(root):
    root.bind(GROUP_HD, root.hd, "mpt3sas")
    devices, _ = check(root, GROUP_NIC, status=1)
    [bridge] = devices[GROUP_NIC]["group"]["tree"]
    assert bridge["children"][1]["state"].startswith("in the way")


def test_check_no_iommu(root):
    root.device("0000:03:00.0")
    devices, _ = check(root, "3:0.0", status=1)
    assert devices["0000:03:00.0"]["verdict"] == "cannot"
    assert "switch the IOMMU on" in devices["0000:03:00.0"]["reason"]


@pytest.mark.parametrize("allowed", [False, True])
def test_check_interrupts_not_remapped(root, allowed):
    root.write("proc/interrupts", "  CPU0\n 0:  1 IO-APIC  2-edge  timer\n")
    root.write("sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y\n" if allowed else "N\n")
    devices, _ = check(root, NIC, status=0 if allowed else 1)
    assert devices[NIC]["verdict"] == ("isolated" if allowed else "cannot")
    where = devices[NIC]["notes"] if allowed else [devices[NIC]["reason"]]
    assert any("interrupt" in text for text in where)


def test_check_rmrr(root):
    root.write("sys/kernel/iommu_groups/2/reserved_regions",
               "0x0000000000001000 0x0000000000001fff direct\n")
    devices, _ = check(root, NIC, status=1)
    assert "1:1 map of 0x1000-0x1fff" in devices[NIC]["reason"]


def test_check_bridge(root):
    devices, _ = check(root, PORT, status=1)
    assert devices[PORT]["verdict"] == "cannot" and "bridge" in devices[PORT]["reason"]


@pytest.mark.parametrize("file, text, kind, width", [
    ("intel-iommu/cap", "d2008c222f0606", "intel-iommu", 48),
    ("intel-iommu/cap", "d2008c22260206", "intel-iommu", 39),  # three levels only
    ("intel-iommu/cap", "d2008c22380e06", "intel-iommu", 57),  # five
    ("intel-iommu/cap", "d2008c22290606", "intel-iommu", 42),  # fewer bits than levels give
    ("amd-iommu/features", "800:0", "amd-iommu", 64),
    ("amd-iommu/features", "400:0", "amd-iommu", 57),
    ("amd-iommu/features", "0", "amd-iommu", 48),
    ("devices", "", "other", None),
])
def test_check_iommu_width(root, file, text, kind, width):
    shutil.rmtree(root.path("sys/class/iommu/dmar0"))
    root.write(f"sys/class/iommu/dmar0/{file}", text + "\n")
    _, machine = check(root, NIC)
    assert machine["iommus"] == [{"name": "dmar0", "type": kind, "width": width}]


def test_check_without_protection(root):
    """VFIO's own groups are none."""
    root.write("sys/kernel/iommu_groups/2/name", "vfio-noiommu\n")
    root.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")
    devices, machine = check(root, NIC, status=1)
    assert machine["vfio"]["no_iommu"] and devices[NIC]["verdict"] == "cannot"


def test_check_acs_that_may_not_be_read(root):
    """Who is not root gets 64 bytes of the configuration space: that is no "yes"."""
    path = root.path(f"sys/bus/pci/devices/{PORT}/config")
    os.truncate(path, 64)
    devices, _ = check(root, NIC, status=1)
    assert devices[NIC]["group"]["tree"][0]["acs"] is None
    assert devices[NIC]["verdict"] == "unknown" and "cannot be read" in devices[NIC]["reason"]


def test_check_kernel_without_cdevs(root):
    root.write("boot/config-6.12.1-fake", "CONFIG_VFIO=m\n# CONFIG_VFIO_DEVICE_CDEV is not set\n")
    devices, machine = check(root, NIC)
    assert machine["iommufd"]["cdev"] is False
    assert any("no device cdevs" in note for note in devices[NIC]["notes"])
    root.write("boot/config-6.12.1-fake", "CONFIG_VFIO_DEVICE_CDEV=y\n")
    devices, machine = check(root, NIC)
    assert machine["iommufd"]["cdev"] is True
    assert not any("cdev" in note for note in devices[NIC]["notes"])


@pytest.mark.parametrize("release, checked", [("6.16.9", False), ("6.17.0-rc1", True),
                                              ("7.3.2", True)])
def test_check_vf_tokens(root, release, checked):
    root.write("proc/sys/kernel/osrelease", release + "\n")
    _, machine = check(root, NIC)
    assert machine["iommufd"]["vf_token"] is checked


def test_check_modules_to_load(root):
    root.remove("dev/iommu")
    shutil.rmtree(root.path("sys/module/iommufd"))
    shutil.rmtree(root.path("sys/bus/pci/drivers/vfio-pci"))
    root.write("lib/modules/6.12.1-fake/kernel/drivers/iommu/iommufd/iommufd.ko.xz", "")
    devices, _ = check(root, NIC)
    assert [line.removeprefix("sudo ") for line in devices[NIC]["next"][:2]] == [
        "modprobe vfio-pci", "modprobe iommufd"]
    assert finding(devices[NIC], "vfio-driver") == finding(devices[NIC], "iommufd") == "bad"


def test_check_without_dpdk(root):
    root.remove(f"usr/lib/x86_64-linux-gnu/librte_eal.so.{abi()}")
    devices, machine = check(root, NIC)
    assert machine["dpdk"] == []
    assert "no DPDK with shared libraries is installed" in devices[NIC]["notes"]


def test_check_kernel_without_iommufd(root):
    root.remove("dev/iommu")
    shutil.rmtree(root.path("sys/module/iommufd"))
    devices, machine = check(root, NIC)
    assert machine["iommufd"]["node"] is False and machine["iommufd"]["in_kernel"] is False
    assert finding(devices[NIC], "iommufd") == "bad"
    assert finding(devices[NIC], "device-nodes") == "none"
    assert any("no iommufd" in note for note in devices[NIC]["notes"])


def test_check_memory(root):
    root.hugepages(0)
    devices, _ = check(root, NIC)
    pages = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"
    assert any("echo 512 " in line and pages in line for line in devices[NIC]["next"])
    root.hugepages(512)
    root.write("proc/self/status", "CapEff:\t0000000000000000\n")
    for limit, command in ("-Sl", True), ("-l", False):
        if command and resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] < 2 << 30:
            command = False  # this machine lets nobody raise it so far
        text = subprocess.run(["bash", "-c", f'ulimit {limit} 64; exec "$0" check "$1"', COMMAND, NIC],
                              env={**os.environ, "DPDK_IOASID_ROOT": root.root}, check=True,
                              text=True, stdout=subprocess.PIPE).stdout
        assert "64 KiB; hugepages: 1 GiB" in text and "may lock less memory than" in text
        assert (f"ulimit -l {1024 * 1024 + 65536}" in text) == command


@needs_pmd("dmadev_ioat")
def test_check_cdev_and_which_are_shown(root):
    """What DPDK has drivers for, of whatever class, and what is on VFIO."""
    root.device("0000:05:00.0", group=5, class_code=0x120000, driver="vfio-pci")
    root.device("0000:06:00.0", group=6, class_code=0x0c0330, ids=(0x8086, 0xa36d))
    root.device("0000:08:00.0", group=8, class_code=0x088000, ids=(0x8086, 0x0b00))  # IOAT
    root.device("0000:09:00.0", group=9, class_code=0x028000, ids=(0x168c, 0x003c))  # WiFi
    root.device("0000:0a:00.0", group=10, class_code=0x108000, ids=(0x1022, 0x1537))  # AMD's PSP
    devices, machine = check(root)
    assert list(devices) == [NIC, GROUP_NIC, "0000:05:00.0", "0000:08:00.0"]
    assert machine["iommufd"]["cdev"] is True
    assert devices["0000:05:00.0"]["cdev"] == {"path": "/dev/vfio/devices/vfio0", "there": True,
                                              "access": True}
    assert devices["0000:08:00.0"]["dpdk_driver"] == {"name": "dmadev_ioat", "bifurcated": False}
    devices, _ = check(root, "--all")
    assert list(devices) == [NIC, GROUP_NIC, GROUP_HD, "0000:05:00.0", "0000:06:00.0",
                             "0000:08:00.0", "0000:09:00.0", "0000:0a:00.0"]
    for other in GROUP_HD, "0000:06:00.0", "0000:09:00.0":  # a disk controller, USB, WiFi
        assert devices[other]["next"] == [] and "not a device for DPDK" in devices[other]["notes"][-1]
        assert finding(devices[other], "dpdk-driver") == "bad"


def test_check_nothing_there(tmp_path):
    text = run("check", env={"DPDK_IOASID_ROOT": str(tmp_path)})
    assert "no devices that DPDK has drivers for" in text


def test_check_here():
    """Whatever machine the tests run on."""
    result = json.loads(run("check", "--all", "--json", both=False))
    assert result["machine"]["kernel"] == os.uname().release
    for device in result["devices"]:
        assert device["verdict"] in SCHEMA["$defs"]["verdict"]["enum"]


def test_no_colours_but_on_a_terminal(root):
    assert "\033" not in run("check", root=root)
    script = subprocess.run(["script", "-qec", f"{COMMAND} check {NIC}", "/dev/null"], check=False,
                            env={**os.environ, "DPDK_IOASID_ROOT": root.root, "TERM": "xterm"},
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert "\033[32misolated\033[0m" in script.stdout


# ---- bench: what it refuses (the rest needs a kernel)

@pytest.mark.parametrize("option, words", [
    ("--size=3", "not sizes with M or G"), ("--size=2M,", "not sizes with M or G"),
    ("--size=2MB", "not sizes with M or G"), ("--size=0G", "not sizes with M or G"),
    ("--size=3M", "3 MiB are not whole pages"), ("--size=" + "2M," * 16 + "2M", "more than 16"),
    ("--page-size=4M", "pages are of 2M or 1G"), ("--repeat=0", "from 1 to 100"),
    (GROUP_NIC, "one device, please"),
])
def test_bench_arguments(root, option, words):
    assert words in run("bench", option, NIC, root=root, status=2)


def test_bench_devices(root):
    """Nothing is there behind a machine of files, and there may be no hugepages here."""
    root.device("0000:05:00.0", group=5, driver="vfio-pci")
    root.device("0000:07:00.0", group=7, driver="vfio-pci")
    root.device("0000:07:00.1", group=7)
    few = "--size=2M", "--repeat=1", "--json"
    assert f"{NIC}: is not on vfio-pci: dpdk-ioasid bind {NIC}" in run("bench", *few, NIC, root=root,
                                                                      status=1)
    text = run("bench", *few, "7:0.0", root=root, status=1)
    assert "0000:07:00.0: shares its IOMMU group 7 with 0000:07:00.1" in text
    text = run("bench", *few, "5:0.0", root=root, status=1)
    assert '"device": "0000:05:00.0"' in text or "raise their number in /sys/kernel/mm" in text


# ---- dts-tree

def shims(tree):
    """The scripts of a tree by name."""
    return {path.name: path.read_text() for path in (tree / "build/app").iterdir()}


def test_dts_tree(tmp_path):
    tree = tmp_path / "shim"
    text = run("dts-tree", str(tree) + "/")
    version = subprocess.run(["pkg-config", "--modversion", "libdpdk"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    assert (tree / "VERSION").read_text() == version
    scripts = shims(tree)
    assert text == (f"{tree}: DPDK {version.strip()}, {len(scripts)} applications under the "
                    "plugin\n")
    assert {"dpdk-testpmd", "dpdk-dumpcap"} <= set(scripts)
    assert "dpdk-ioasid" not in scripts and "dpdk-devbind.py" not in scripts
    assert f"LD_PRELOAD='{PLUGIN}'" in scripts["dpdk-testpmd"]
    for path in (tree, tree / "build/app/dpdk-testpmd"):
        assert path.stat().st_mode & 0o777 == 0o755
    assert os.listdir(tmp_path) == ["shim"]


@pytest.mark.skipif(os.environ.get("DPDK_IOASID_SANITIZED") == "1",
                    reason="a plugin with sanitizers cannot be preloaded into other programs")
def test_dts_tree_runs_under_the_plugin(tmp_path):
    """The options are the tree's, then the environment's."""
    testpmd = [tmp_path / "shim/build/app/dpdk-testpmd", "--no-pci", "--no-huge"]
    for option, more, wrong in (("--ioasid-mode=it's", "", "it's"),
                                ("--allow-insecure-vfio", "--ioasid-mode=later", "later")):
        run("dts-tree", option, str(tmp_path / "shim"))
        result = subprocess.run(testpmd, env={**os.environ, "DPDK_IOASID_OPTS": more}, text=True,
                                check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert f'--ioasid-mode "{wrong}": give auto, native or container' in result.stdout


def test_dts_tree_stock(tmp_path):
    tree = tmp_path / "shim"
    run("dts-tree", str(tree))
    run("dts-tree", "--stock", str(tree))  # in place of the other
    scripts = shims(tree)
    assert not any("LD_PRELOAD" in script for script in scripts.values())
    text = subprocess.run([tree / "build/app/dpdk-testpmd", "--help"], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    assert "--iova-mode" in text and "--ioasid-mode" not in text
    # No plugin is needed.
    run("dts-tree", "--stock", str(tree), env={"DPDK_IOASID_PLUGIN": "/nowhere/x.so"})
    assert "without the plugin" in run("dts-tree", "--stock", "--allow-insecure-vfio", str(tree),
                                       status=2)


@pytest.mark.parametrize("name", ["file", "build/app/dpdk-testpmd", "build/lib/x", "src/VERSION"])
def test_dts_tree_replaces_nothing_else(tmp_path, name):
    tree = tmp_path / "shim"
    tree.mkdir()
    run("dts-tree", str(tree))  # an empty directory is taken
    file = tree / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\nsomebody else's\n")
    assert "holds something else" in run("dts-tree", str(tree), status=1)
    assert "else's" in file.read_text() and os.listdir(tmp_path) == ["shim"]
    assert "holds something else" in run("dts-tree", str(file), status=1)


def test_dts_tree_that_cannot_be_written(tmp_path):
    assert "which directory?" in run("dts-tree", status=2)
    assert "one directory" in run("dts-tree", "a", "b", status=2)
    assert "No such file" in run("dts-tree", "/nowhere/shim", status=1)
    tree = str(tmp_path / "shim")
    text = run("dts-tree", tree, status=1, env={"PATH": "/nowhere"})
    assert "dpdk-testpmd: No such file" in text and "dpdk-dev" in text
    assert "is not in /nowhere/x.so" in run("dts-tree", tree, status=1,
                                            env={"DPDK_IOASID_PLUGIN": "/nowhere/x.so"})
    script = 'ulimit -f 0; trap "" XFSZ; exec "$0" dts-tree "$1"'
    result = subprocess.run(["bash", "-c", script, COMMAND, tree], check=False, text=True,
                            stderr=subprocess.PIPE)
    assert result.returncode == 1 and result.stderr.endswith(f"{tree}: Input/output error\n")
    assert os.listdir(tmp_path) == []


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-rs", "-p", "no:cacheprovider", *sys.argv[1:], __file__]))
