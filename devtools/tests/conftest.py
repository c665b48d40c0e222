# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the tests that run in the lab, on its devices (devtools/lab)."""

import json
import os
import shutil
import subprocess

import pytest

import kernel
import pci
import plugin
from drivers import Drivers
from unprivileged import NOBODY

NAMES = ("NIC0", "NIC1", "GROUP_NIC", "GROUP_HD", "EDU_NIC", "EDU")


def pytest_configure(config):
    config.addinivalue_line("markers", "one_kernel: what it tests is the same on every kernel")
    config.addinivalue_line("markers", "every_dpdk: what it tests rests on how DPDK is made, so it "
                            "runs with other versions, too, and with another linking")
    config.addinivalue_line("markers", "packaged_kernel: holds with Debian's own kernels, too, which "
                            "have no iommufd and all drivers as modules")
    config.addinivalue_line("markers", "core(case): belongs to this column of devtools/matrix")
    config.option.strict_markers = True


def pytest_addoption(parser):
    parser.addoption("--one-kernel-part", metavar="K/N", default="0/1",
                     help="the Kth share of N (from 0) of the tests marked one_kernel: the others "
                          "run on the other kernels")
    parser.addoption("--cells", metavar="CASE;…",
                     help="for devtools/matrix: only tests marked core, of these cases, and print "
                          "what each has come to")
    parser.addoption("--part", metavar="K/N", default="0/1",
                     help="the Kth share of what is left: the others run in other machines")


def pytest_collection_modifyitems(config, items):
    once = [item for item in items if item.get_closest_marker("one_kernel")]
    elsewhere = dealt_to_others(once, config.getoption("--one-kernel-part"))
    here = [item for item in items if item not in elsewhere]
    elsewhere += dealt_to_others(here, config.getoption("--part"))
    if config.getoption("--cells"):
        cases = config.getoption("--cells").split(";")
        elsewhere += [item for item in items if item not in elsewhere and case_of(item) not in cases]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]


def case_of(item):
    core = item.get_closest_marker("core")
    return core.args[0] if core else None


def dealt_to_others(items, share):
    """In fours, by which the shares take about equally long."""
    part, parts = map(int, share.split("/"))
    return [item for number, item in enumerate(items) if number // 4 % parts != part]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not item.config.getoption("--cells"):
        return
    if report.when == "call" or report.outcome != "passed":
        reason = report.longrepr[2] if report.skipped else ""
        cell = {"case": case_of(item), "test": item.nodeid, "result": report.outcome,
                "reason": reason.removeprefix("Skipped: ")}
        item.config.pluginmanager.get_plugin("terminalreporter").write_line(
            f"\nCELL {json.dumps(cell)}")


class Lab:
    """The lab's devices by name: lab.NIC0 and so on."""

    def __init__(self):
        for name in NAMES:
            setattr(self, name, os.environ["LAB_" + name])
        # Only there if the machine was started with them, as devtools/test does.
        self.e1000e = pci.find("8086", "10d3")

    def reset(self):
        """As after boot: the NICs on vfio-pci, the shared groups unbound."""
        for name in NAMES:
            bdf = getattr(self, name)
            if name in ("NIC0", "NIC1"):
                pci.bind(bdf, "vfio-pci")
            else:
                pci.unbind(bdf)
        for bdf in self.e1000e:
            pci.unbind(bdf)


@pytest.fixture
def lab():
    if "LAB_NIC0" not in os.environ:
        pytest.skip("runs in the lab only: devtools/lab run -- /usr/bin/python3 -m pytest …")
    devices = Lab()
    devices.reset()
    yield devices


@pytest.fixture
def user(tmp_path):
    """An unprivileged user's options: hugepages and a place for EAL's files, but no nodes."""
    mount = tmp_path / "huge"
    mount.mkdir()
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:2]:
        os.chmod(parent, 0o755)
    subprocess.run(["mount", "-t", "hugetlbfs", "-o", f"pagesize=2M,uid={NOBODY}", "none", mount],
                   check=True)
    runtime = tmp_path / "run"
    runtime.mkdir()
    os.chown(runtime, NOBODY, NOBODY)
    yield {"eal": ["--huge-dir", str(mount)], "env": {"XDG_RUNTIME_DIR": str(runtime)}}
    subprocess.run(["umount", mount], check=True)
    shutil.rmtree(runtime)


@pytest.fixture(scope="session", autouse=True)
def few_drivers():
    if "LAB_NIC0" not in os.environ:
        yield None
        return
    drivers = Drivers()
    drivers.offer_few()
    yield drivers
    drivers.offer_all()


@pytest.fixture(scope="session", autouse=True)
def under_guard():
    """The guard in the kernel, for all tests, with the options that LAB_GUARD has."""
    options = os.environ.get("LAB_GUARD")
    if options is None:
        yield
        return
    subprocess.run([plugin.COMMAND, "guard", "start", *options.split()], check=True)
    yield
    subprocess.run([plugin.COMMAND, "guard", "status"], check=False)
    subprocess.run([plugin.COMMAND, "guard", "stop"], check=True)


@pytest.fixture
def all_drivers(few_drivers):
    """As a user starts it: with all that the distribution brings."""
    few_drivers.offer_all()
    yield
    few_drivers.offer_few()


@pytest.fixture(scope="module")
def installed():
    shutil.copy(plugin.PLUGIN, plugin.INSTALLED)
    yield
    os.unlink(plugin.INSTALLED)


@pytest.fixture
def faults(lab):
    """The DMA faults in the kernel log since the test began, for tests that expect some."""
    kernel.forget_dma_faults()
    return kernel.dma_faults


@pytest.fixture
def no_faults(faults):
    """The test may cause none."""
    yield
    assert not faults()


@pytest.fixture
def no_leftovers(lab):
    """After the test no process may hold a device or an iommufd, and hugepages are free."""
    before = kernel.free_hugepages()
    yield
    holders = [link for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()
               for link in kernel.open_files(pid) if link.startswith(("/dev/vfio", "/dev/iommu"))]
    assert not holders
    assert kernel.free_hugepages() == before
