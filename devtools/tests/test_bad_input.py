# SPDX-License-Identifier: BSD-3-Clause
"""Wrong options, missing devices, missing rights: one clear message each."""

import contextlib
import os
import subprocess

import pytest

import pci
import plugin
from testpmd import COMMON, Testpmd, allow
from unprivileged import NOBODY, unprivileged

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

ONE_PORT = ["--port-topology=chained"]


def run(*eal, env=None, app=()):
    """testpmd that is expected to end by itself."""
    return subprocess.run(["dpdk-testpmd", *eal, "--", *app], env=plugin.environment(more=env),
                          capture_output=True, text=True, check=False, timeout=60,
                          stdin=subprocess.DEVNULL)


@pytest.mark.one_kernel
def test_no_such_device(lab):
    with Testpmd(*allow("0000:7f:00.0", lab.NIC0), *COMMON, app=ONE_PORT) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        testpmd.quit()


@pytest.mark.one_kernel
def test_device_without_vfio_driver_is_skipped(lab):
    """As stock EAL does."""
    pci.unbind(lab.NIC1)
    with Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON, app=ONE_PORT) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        assert "refused" not in testpmd.output
        testpmd.quit()


# Every malformed word is a row of app/test/test_options.c; here: how an application ends.

@pytest.mark.one_kernel
def test_malformed_option(lab):
    result = run("--no-huge", "--ioasid-dve", "/dev/iommu")
    assert result.returncode != 0
    assert result.stderr.count("IOASID: ") == 1
    assert 'unknown option "--ioasid-dve"' in result.stderr
    assert "Cannot init EAL: Invalid argument" in result.stderr


@pytest.mark.one_kernel
def test_foreign_word_in_environment(lab):
    result = run("--no-huge", env={"DPDK_IOASID_OPTS": "--allow-insecure-vfio -m 512"})
    assert result.returncode != 0
    assert 'DPDK_IOASID_OPTS: "-m" is not an option of dpdk-ioasid' in result.stderr
    assert "Cannot init EAL: Invalid argument" in result.stderr


@pytest.mark.one_kernel
def test_options_show_in_help(lab):
    result = run("--help")
    assert result.returncode == 0
    assert "--allow-insecure-vfio" in result.stdout
    assert "--ioasid-dev PATH" in result.stdout
    assert "EAL common options" in result.stdout


@pytest.mark.one_kernel
def test_application_still_sees_its_own_arguments(lab):
    """EAL's promise: what follows our options and its own reaches the application."""
    with Testpmd("--allow-insecure-vfio", *allow(lab.NIC0), "--ioasid-dev", "/dev/iommu", *COMMON,
                 "--ioasid-dev=/dev/ioasid", app=[*ONE_PORT, "--nb-cores=1"]) as testpmd:
        testpmd.started()
        assert "/dev/ioasid opened" in testpmd.output
        assert "ports=1 - cores=1" in testpmd.command("show config fwd")
        testpmd.quit()


@pytest.mark.one_kernel
def test_node_is_something_else(lab):
    with Testpmd(*allow(lab.NIC0), *COMMON, "--ioasid-dev", "/dev/null", app=ONE_PORT) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert "/dev/null: open failed" in testpmd.output
        assert "is not an iommufd" in testpmd.output
        testpmd.quit()


@contextlib.contextmanager
def in_the_place_of(path, other):
    """As where a container's /dev is from yesterday, or somebody means harm."""
    subprocess.run(["mount", "--bind", other, path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.one_kernel
def test_node_of_another_device(lab):
    """Its number is compared with what the kernel says, before anything is attached."""
    with in_the_place_of(pci.cdev(lab.NIC0), pci.cdev(lab.NIC1)), \
            Testpmd(*allow(lab.NIC0, lab.NIC1), *COMMON, app=ONE_PORT) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC1]
        assert f"{lab.NIC0}: {pci.cdev(lab.NIC0)} is not device " in testpmd.output
        testpmd.quit()


@pytest.mark.one_kernel
def test_alias_is_something_else(lab):
    """Before the start: refused. Afterwards: what is open is open."""
    alias = os.path.realpath("/dev/ioasid")
    with in_the_place_of(alias, "/dev/null"), \
            Testpmd(*allow(lab.NIC0), *COMMON, app=ONE_PORT) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert "is not an iommufd" in testpmd.output
        testpmd.quit()
    with Testpmd(*allow(lab.NIC0), *COMMON, app=ONE_PORT) as testpmd:
        testpmd.started()
        with in_the_place_of(alias, "/dev/null"):
            testpmd.command(f"port attach {lab.NIC1}")
            assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        testpmd.quit()


@pytest.mark.one_kernel
def test_node_is_missing(lab):
    with Testpmd(*allow(lab.NIC0), *COMMON, "--ioasid-dev", "/dev/nothing",
                 app=ONE_PORT) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert "/dev/nothing: open failed (No such file or directory)" in testpmd.output
        testpmd.quit()


@pytest.fixture
def owner(lab, user):
    """The user may open the NICs' nodes, but not /dev/iommu."""
    nodes = [pci.cdev(lab.NIC0), pci.cdev(lab.NIC1)]
    for node in nodes:
        os.chown(node, NOBODY, NOBODY)
    yield user
    for node in ["/dev/iommu", *nodes]:
        os.chown(node, 0, 0)


def test_node_may_not_be_opened(lab, owner):
    with unprivileged([lab.NIC0, lab.NIC1], owner, 1 << 20) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        assert "open failed (Permission denied): may not be opened by this user" in testpmd.output
        testpmd.quit()


def test_memlock_too_small(lab, owner):
    """The message says how much is needed and what the limit is."""
    os.chown("/dev/iommu", NOBODY, NOBODY)
    with unprivileged([lab.NIC0, lab.NIC1], owner, 64 << 10) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        print(testpmd.output)
        assert "at least 131072 KiB needed, RLIMIT_MEMLOCK is 65536 KiB" in testpmd.output
        testpmd.quit()


def test_unprivileged_user_forwards(lab, owner):
    os.chown("/dev/iommu", NOBODY, NOBODY)
    with unprivileged([lab.NIC0, lab.NIC1], owner, 1 << 20) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        testpmd.forward(10_000)
        testpmd.quit()
