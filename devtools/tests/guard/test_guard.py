# SPDX-License-Identifier: BSD-3-Clause
"""What the guard refuses and allows, to programs that know nothing of it."""

import os
import re
import subprocess

import pytest

import pci
import plugin
from programs import HAS_CDEVS, PINS, WAYS, attach, attaching
from test_hotplug import all_come_back, remove, rescan  # noqa: F401 (a fixture)
from testpmd import AT_RISK, COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

UID = 1000
CGROUPS = "/sys/fs/cgroup"


def as_user(*bdfs):
    """A user without rights, to whom the nodes are given."""
    for node in ("/dev/iommu", "/dev/vfio/vfio"):
        if os.path.exists(node):
            os.chmod(node, 0o666)
    for bdf in bdfs:
        os.chmod(f"/dev/vfio/{pci.group(bdf)}", 0o666)
        if HAS_CDEVS:
            os.chmod(pci.cdev(bdf), 0o666)
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]


# ---- the rule

def test_stock_testpmd_is_refused(lab, guard):
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, preload=False, app=NOT_STARTED) as testpmd:
        testpmd.started()
        print(testpmd.output)
        assert testpmd.ports() == []
        assert "cannot add VFIO group to container, error 1 (Operation not permitted)" \
            in testpmd.output
        pid = testpmd.pid
        testpmd.quit()
    print(guard.run("log", "--no-follow"))
    [record] = guard.records()
    assert record["what"] == "refused" and record["pid"] == pid and record["uid"] == 0
    assert record["comm"] == "dpdk-testpmd" and record["call"] == "VFIO_GROUP_SET_CONTAINER"
    assert record["group"] == pci.group(lab.GROUP_NIC)
    assert record["members"] == [lab.GROUP_HD] and record["missing"] == 1


@pytest.mark.parametrize("way, refusal", WAYS)
def test_others_of_the_group(lab, guard, way, refusal):
    """Unbound or on a driver that is none of VFIO's: refused; on vfio-pci: nobody else's."""
    assert attach(way, lab.GROUP_NIC) == refusal
    pci.bind(lab.GROUP_HD, "pci-stub")
    assert attach(way, lab.GROUP_NIC) == refusal
    pci.bind(lab.GROUP_HD, "vfio-pci")
    assert attach(way, lab.GROUP_NIC) == "attached"
    assert attach(way, lab.NIC0) == "attached"
    assert guard.status()["refused"] == 2
    assert guard.status()["attached"] == []


@pytest.mark.parametrize("way, refusal", WAYS)
def test_stricter_rules(lab, no_guard, way, refusal):
    pci.bind(lab.GROUP_HD, "vfio-pci")
    for rule in ("joined", "alone"):
        no_guard.start("--rule", rule)
        assert no_guard.status()["rule"] == rule
        assert attach(way, lab.GROUP_NIC) == refusal
        assert attach(way, lab.NIC0) == "attached"


@pytest.mark.skipif(not HAS_CDEVS, reason="this kernel has no iommufd to join")
def test_joined(lab, no_guard):
    """The others must have joined the same iommufd, whoever attaches first."""
    from iommufd import Iommufd
    pci.bind(lab.GROUP_HD, "vfio-pci")
    no_guard.start("--rule", "joined")
    with Iommufd() as iommufd:
        nic, ioas = iommufd.bind(lab.GROUP_NIC), iommufd.ioas()
        with pytest.raises(PermissionError):
            iommufd.attach(nic, ioas)
        iommufd.bind(lab.GROUP_HD)
        iommufd.attach(nic, ioas)


# ---- exceptions

@pytest.mark.parametrize("way, refusal", WAYS)
def test_exceptions(lab, guard, way, refusal):
    group = pci.group(lab.GROUP_NIC)
    for words in (("device", lab.GROUP_HD), ("group", str(group))):
        guard.allow(*words)
        assert attach(way, lab.GROUP_NIC) == "attached"
        guard.deny(*words)
        assert attach(way, lab.GROUP_NIC) == refusal
    # Another device's, another group's.
    guard.allow("device", lab.EDU)
    guard.allow("group", str(group + 1))
    assert attach(way, lab.GROUP_NIC) == refusal


@pytest.mark.parametrize("way, refusal", WAYS)
def test_exception_of_a_user(lab, guard, way, refusal):
    wrapper = as_user(lab.GROUP_NIC)
    assert attach(way, lab.GROUP_NIC, wrapper) == refusal
    assert guard.records()[-1]["uid"] == UID
    guard.allow("uid", str(UID))
    assert attach(way, lab.GROUP_NIC, wrapper) == "attached"
    assert attach(way, lab.GROUP_NIC) == refusal
    assert "is root" in guard.allow("uid", "0", status=2)


@pytest.mark.parametrize("way, refusal", WAYS)
def test_exception_of_a_cgroup(lab, guard, way, refusal):
    """It and what is below; not one whose name only begins like it, and none that comes later."""
    paths = ["pods.slice", "pods.slice/pod1", "pods.slice/pod1/container", "pods.slice/pod10"]
    for path in paths:
        os.makedirs(os.path.join(CGROUPS, path))
    try:
        def inside(path):
            enter = f"echo $$ >{CGROUPS}/{path}/cgroup.procs && exec \"$@\""
            return attach(way, lab.GROUP_NIC, ["sh", "-c", enter, "sh"])
        assert inside("pods.slice/pod1") == refusal
        assert guard.records()[-1]["cgroup"] == "/pods.slice/pod1"
        guard.allow("cgroup", "/pods.slice/pod1/")
        assert inside("pods.slice/pod1") == "attached"
        assert inside("pods.slice/pod1/container") == "attached"
        assert inside("pods.slice/pod10") == refusal
        assert inside("pods.slice") == refusal
    finally:
        for path in reversed(paths):
            os.rmdir(os.path.join(CGROUPS, path))


def test_exceptions_are_kept(lab, guard):
    guard.allow("device", lab.GROUP_HD)
    guard.stop()
    guard.start()
    assert attach(WAYS[0].values[0], lab.GROUP_NIC) == "attached"
    assert f"device {lab.GROUP_HD}" in guard.run("status")


# ---- report only

@pytest.mark.parametrize("way, refusal", WAYS)
def test_report_only(lab, no_guard, way, refusal):
    """One record for a process and a group, whatever its number of calls."""
    del refusal
    no_guard.start("--report-only")
    with attaching(way, lab.GROUP_NIC) as (process, said):
        assert said == "attached"
        status = no_guard.status()
        assert status["reported"] == 1 and status["refused"] == 0 and not status["enforcing"]
        [attached] = status["attached"]
        assert attached["pid"] == process.pid and attached["missing"] == 1
        assert "report only" in no_guard.run("status", status=1)
    assert [record["what"] for record in no_guard.records()] == ["reported"]
    no_guard.start()
    assert no_guard.status()["attached"] == []


# ---- moments

def test_loaded_late(lab, no_guard):
    """A group that came to its container before: the calls that follow are refused."""
    with attaching("late", lab.GROUP_NIC) as (process, said):
        assert said == "in a container"
        no_guard.start()
        [attached] = no_guard.status()["attached"]
        assert attached["pid"] == process.pid and attached["group"] == pci.group(lab.GROUP_NIC)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == "SET_IOMMU EPERM"


@pytest.mark.parametrize("way, refusal", WAYS)
def test_no_gap(lab, guard, way, refusal):
    """While one guard takes the place of another, again and again, nothing comes through."""
    with subprocess.Popen(["sh", "-c", f"for i in 1 2 3; do {plugin.COMMAND} guard start "
                           f"--config={guard.config} || exit; done"], env=guard.env,
                          stdout=subprocess.DEVNULL) as starts:
        tries = 0
        while starts.poll() is None:
            assert attach(way, lab.GROUP_NIC) == refusal
            tries += 1
        assert starts.returncode == 0
    assert tries >= 2
    # The counters go on.
    assert guard.status()["refused"] == tries


def test_loader_killed(lab, guard):
    """At whatever moment: what was in force stays so, and the next start makes it whole."""
    for moment in range(0, 30, 6):
        with subprocess.Popen([plugin.COMMAND, "guard", "start", f"--config={guard.config}"],
                              env=guard.env, stdout=subprocess.DEVNULL) as start:
            try:
                start.wait(moment / 10)
            except subprocess.TimeoutExpired:
                start.kill()
        assert attach(WAYS[0].values[0], lab.GROUP_NIC) == WAYS[0].values[1]
    guard.start()
    assert guard.status()["guard"] == "there" and guard.status()["proved"]
    assert sorted(os.listdir(PINS)) == ["guard"]


def test_pin_removed(lab, guard):
    """status does not take half a guard for one."""
    os.unlink(f"{PINS}/guard/ioctl")
    assert "not whole" in guard.run("status", status=1)
    guard.start()
    guard.run("status")


def test_hot_added_member_is_told(lab, guard, all_come_back):
    """It is in the group's page table at once: nobody is asked, so it can only be told."""
    remove(lab.GROUP_HD)
    with attaching(*WAYS[-1].values[:1], lab.GROUP_NIC) as (process, said):
        assert said == "attached"
        rescan()
        print(guard.run("log", "--no-follow"))
        [record] = guard.records()
        assert record["what"] == "added" and record["device"] == lab.GROUP_HD
        assert record["group"] == pci.group(lab.GROUP_NIC)
        [attached] = guard.status()["attached"]
        assert attached["pid"] == process.pid and attached["missing"] == 1
    # Into a group that nobody uses anything may come.
    remove(lab.GROUP_HD)
    rescan()
    assert guard.status()["added"] == 1


def test_log_follows(lab, guard):
    with subprocess.Popen([plugin.COMMAND, "guard", "log"], env=guard.env, text=True,
                          stdout=subprocess.PIPE) as log:
        for _ in range(2):
            attach(WAYS[0].values[0], lab.GROUP_NIC)
            assert f"refused IOMMU group {pci.group(lab.GROUP_NIC)} to python3" \
                in log.stdout.readline()
        log.terminate()


# ---- ways around it

def test_32_bits(lab, guard, tmp_path):
    program = tmp_path / "attach32"
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-fno-pic", "-no-pie", "-o", program,
                    os.path.join(os.path.dirname(__file__), "attach32.c")], check=True)

    def errno_of(bdf):
        wrapper = f"exec 3<>/dev/vfio/{pci.group(bdf)} 4<>/dev/vfio/vfio; exec {program}"
        return subprocess.run(["bash", "-c", wrapper], check=False).returncode
    assert errno_of(lab.NIC0) == 0
    assert errno_of(lab.GROUP_NIC) == 1  # EPERM
    assert guard.records()[-1]["comm"] == "attach32"


def test_nodes_of_other_names(lab, guard, tmp_path):
    """What is judged is the file and not its path."""
    real = f"/dev/vfio/{pci.group(lab.GROUP_NIC)}"
    number = os.stat(real).st_rdev
    os.rename(real, f"{real}.away")
    try:
        os.mknod(tmp_path / "node", 0o600 | 0o020000, number)
        os.symlink(tmp_path / "node", real)
        assert attach("group", lab.GROUP_NIC) == "SET_CONTAINER EPERM"
    finally:
        os.unlink(real)
        os.rename(f"{real}.away", real)


@pytest.mark.skipif(not HAS_CDEVS, reason="this kernel has no iommufd to be a container")
def test_iommufd_as_container(lab, guard):
    """The kernel takes an iommufd for a container of the groups of old."""
    import attach as client
    from iommufd import Iommufd
    group = client.open_group(lab.GROUP_NIC)
    try:
        with Iommufd() as iommufd:
            with pytest.raises(client.Refused, match="SET_CONTAINER EPERM"):
                client.set_container(group, iommufd.fd)
    finally:
        os.close(group)


@pytest.mark.parametrize("way, refusal", WAYS)
def test_descriptors_handed_on(lab, guard, way, refusal):
    """Who calls is judged, whoever opened: an exception does not go with a descriptor."""
    guard.allow("uid", str(UID))
    wrapper = as_user(lab.GROUP_NIC)
    if way == "group":
        shell = (f"exec 3<>/dev/vfio/{pci.group(lab.GROUP_NIC)} 4<>/dev/vfio/vfio; "
                 "python3 -c 'import fcntl, struct; "
                 f"fcntl.ioctl(3, {0x3b68}, struct.pack(\"=i\", 4))'")
        root = subprocess.run(["bash", "-c", shell], check=False, capture_output=True, text=True)
        user = subprocess.run([*wrapper, "bash", "-c", shell], check=False, capture_output=True,
                              text=True)
        assert "Operation not permitted" in root.stderr and user.returncode == 0, user.stderr
    assert attach(way, lab.GROUP_NIC) == refusal


# ---- the plugin under it

def test_plugin_says_who_refused(lab, guard):
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, "--allow-insecure-vfio",
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        print(testpmd.output)
        assert testpmd.ports() == []
        assert f"{lab.GROUP_NIC} refused by the kernel, though the group rule here allows it" \
            in testpmd.output
        assert f"  dpdk-ioasid guard allow device {lab.GROUP_HD}\n" in testpmd.output
        testpmd.quit()
    guard.allow("device", lab.GROUP_HD)
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, "--allow-insecure-vfio",
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC]
        assert f"{AT_RISK}{lab.GROUP_HD}]" in testpmd.output
        testpmd.quit()


def test_plugin_with_both_named(lab, no_guard):
    """By the strictest rule that has any: the plugin joins all before it attaches one."""
    pci.bind(lab.GROUP_HD, "vfio-pci")
    no_guard.start("--rule", "joined" if HAS_CDEVS else "bound")
    with Testpmd(*allow(lab.GROUP_NIC, lab.GROUP_HD), *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC]
        testpmd.quit()
    assert no_guard.status()["refused"] == 0


def test_forwarding_goes_on(lab, guard):
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON) as testpmd:
        testpmd.started()
        testpmd.forward(10_000)
        testpmd.quit()
    assert guard.status()["refused"] == 0


def test_check_tells(lab, guard):
    def check(*bdfs):
        return subprocess.run([plugin.COMMAND, "check", *bdfs], env=guard.env, text=True,
                              stdout=subprocess.PIPE, check=False).stdout
    says = "the guard in the kernel refuses it as long as one of these is not on a VFIO driver: "
    assert says + lab.GROUP_HD in check(lab.GROUP_NIC)
    assert says not in check(lab.GROUP_NIC, lab.GROUP_HD)
    assert says not in check(lab.NIC0)
    os.unlink(f"{PINS}/guard/ioctl")
    assert "the guard in the kernel is not whole" in check(lab.NIC0)


def test_run_tells(lab, guard):
    def run(*options):
        return subprocess.run([plugin.COMMAND, "run", *options, "dpdk-testpmd", "--version"],
                              env={**guard.env, "DPDK_IOASID_PLUGIN": plugin.PLUGIN}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    says = "the guard in the kernel is in force"
    assert says in run("--allow-insecure-vfio")
    assert says not in run()
    guard.stop()
    assert says not in run("--allow-insecure-vfio")

def test_unit(lab, no_guard):
    """What systemd would run, in its order; nobody starts it unasked."""
    with open(os.path.join(plugin.BUILD, "app/dpdk-ioasid/guard/dpdk-ioasid-guard.service"),
              encoding="utf-8") as file:
        unit = file.read()

    def run(key):
        for line in re.findall(rf"^{key}=(.*)$", unit, re.M):
            line = re.sub(r"^\S*/dpdk-ioasid ", f"{plugin.COMMAND} ", line)
            subprocess.run(line.split(), check=True, env=no_guard.env)

    for key in ("ExecStartPre", "ExecStart", "ExecReload"):
        if key != "ExecStartPre" or os.path.exists("/sys/module/vfio/refcnt"):
            run(key)
    assert attach(WAYS[0].values[0], lab.GROUP_NIC) == WAYS[0].values[1]
    run("ExecStop")
    assert attach(WAYS[0].values[0], lab.GROUP_NIC) == "attached"
