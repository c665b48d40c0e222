# SPDX-License-Identifier: BSD-3-Clause
"""Other ways in than LD_PRELOAD: -d, linking, static linking. The same rules in each."""

import os
import re
import subprocess

import pytest

import pci
import plugin
from plugin import INSTALLED
from testpmd import AT_RISK, COMMON, NOT_STARTED, Testpmd, allow

pytestmark = [pytest.mark.usefixtures("no_faults", "no_leftovers", "installed"),
              pytest.mark.one_kernel, pytest.mark.every_dpdk]

INSECURE = "--allow-insecure-vfio"
STOCK = "EAL: Using IOMMU type"
BUILD = os.path.abspath(os.path.join(os.path.dirname(plugin.PLUGIN), "../../.."))
LINKED = ("linked", "linked_last", "static")


def plugin_testpmd(*eal, env=None, app=NOT_STARTED, name=INSTALLED):
    return Testpmd("-d", name, *eal, *COMMON, preload=False, env=env, app=app)


def check_native(output, *bdfs):
    """The plugin has attached them, and EAL's own VFIO code has not."""
    for bdf in bdfs:
        assert f"IOASID: {bdf}: IOMMU group" in output
    assert STOCK not in output


def check_refused(output, lab):
    assert f"{lab.GROUP_NIC} refused: its IOMMU group" in output
    assert f"accept the risk: {INSECURE}" in output
    assert AT_RISK not in output
    assert STOCK not in output


def check_at_risk(output, lab):
    check_native(output, lab.GROUP_NIC)
    assert re.findall(re.escape(AT_RISK) + r"([^\]]*)\]", output) == [lab.GROUP_HD]


# ---- EAL's -d, with an unmodified testpmd

def check_forwarding(testpmd, lab):
    testpmd.started()
    assert testpmd.ports() == [lab.NIC0, lab.NIC1]
    check_native(testpmd.output, lab.NIC0, lab.NIC1)
    testpmd.forward(100_000)
    testpmd.quit()


def test_d_forwards(lab, all_drivers):
    with plugin_testpmd(*allow(lab.NIC0, lab.NIC1), app=()) as testpmd:
        check_forwarding(testpmd, lab)


def test_d_without_a_path(lab):
    """As installed: the dynamic linker finds the plugin. PMDs that are loaded after it count."""
    with plugin_testpmd(*allow(lab.NIC0), env=plugin.library_path(os.path.dirname(INSTALLED)),
                        name=os.path.basename(INSTALLED)) as testpmd:
        testpmd.started()
        check_native(testpmd.output, lab.NIC0)
        testpmd.quit()


def test_d_and_preload(lab):
    """Nothing is redirected where calls come to the plugin anyway, if only to another copy."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with Testpmd("-d", INSTALLED, *allow(lab.GROUP_NIC), *COMMON, INSECURE,
                 "--log-level=iommu.ioasid:debug", app=NOT_STARTED) as testpmd:
        testpmd.started()
        check_at_risk(testpmd.output, lab)
        assert "redirected" not in testpmd.output
        testpmd.quit()


@pytest.mark.core("forwarding, VA")
def test_d_redirects_once(lab):
    """How depends on the processor."""
    with plugin_testpmd(*allow(lab.NIC0), "--log-level=iommu.ioasid:debug") as testpmd:
        testpmd.started()
        check_native(testpmd.output, lab.NIC0)
        # On load, and after what EAL loads later that has references of its own.
        counts = re.findall(r"IOASID: (\d+) references redirected", testpmd.output)
        assert counts and all(int(count) > 0 for count in counts)
        testpmd.quit()


def test_d_pages_are_read_only_again(lab):
    """RELRO of the objects whose references were changed."""
    def writable():
        with open(f"/proc/{testpmd.pid}/maps", encoding="ascii") as maps:
            return {line.split()[-1]: line.split()[0].split("-") for line in maps
                    if " rw-p " in line and ("librte_" in line or "testpmd" in line)}

    with Testpmd(*allow(lab.NIC0), *COMMON, preload=False, app=NOT_STARTED) as testpmd:
        testpmd.started()
        stock = {name: int(end, 16) - int(start, 16) for name, (start, end) in writable().items()}
        testpmd.quit()
    with plugin_testpmd(*allow(lab.NIC0)) as testpmd:
        testpmd.started()
        ours = {name: int(end, 16) - int(start, 16) for name, (start, end) in writable().items()}
        testpmd.quit()
    ours.pop(INSTALLED)
    assert ours == stock


@pytest.mark.core("group rule")
def test_d_refused(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with plugin_testpmd(*allow(lab.GROUP_NIC)) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        check_refused(testpmd.quit(), lab)


def test_d_at_risk(lab):
    """EAL rejects our options before it loads us: here they come from the environment."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with plugin_testpmd(*allow(lab.GROUP_NIC), env={"DPDK_IOASID_OPTS": INSECURE}) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC]
        check_at_risk(testpmd.quit(), lab)


def test_d_both_named(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    with plugin_testpmd(*allow(lab.GROUP_NIC, lab.GROUP_HD)) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC]
        output = testpmd.quit()
    check_native(output, lab.GROUP_NIC)
    assert AT_RISK not in output


def test_d_bad_options(lab):
    with plugin_testpmd(*allow(lab.NIC0), env={"DPDK_IOASID_OPTS": "--nonsense"}) as testpmd:
        output = testpmd.failed()
    assert 'DPDK_IOASID_OPTS: "--nonsense" is not an option of dpdk-ioasid' in output


# ---- a small application (app/test/ways_in.c) that is linked with the plugin

def application(way, *args, env=None, status=0):
    program = os.path.join(BUILD, "app/test/ways_in_" + way)
    # Its run path is for the build directory; the environment wins, for other builds.
    env = {**plugin.library_path(os.path.dirname(plugin.PLUGIN)), **(env or {})}
    result = subprocess.run([program, "-l", "0-1", *args], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
                            env=plugin.environment(preload=False, more=env))
    print(result.stdout)
    assert result.returncode == status
    assert ("cleaned up: 0" in result.stdout) == (status == 0)
    return result.stdout


def ports(output):
    return re.findall(r"^port \d+: (\S+)$", output, re.M)


@pytest.mark.parametrize("way", LINKED)
def test_application(lab, way):
    output = application(way, *allow(lab.NIC0, lab.NIC1), *COMMON,
                         "--log-level=iommu.ioasid:debug", "--", "its", "own")
    assert ports(output) == [lab.NIC0, lab.NIC1]
    check_native(output, lab.NIC0, lab.NIC1)
    assert "2 arguments left" in output
    received = re.search(r"received (\d+) and (\d+) packets", output)
    assert received and min(map(int, received.groups())) >= 32
    # What EAL left undone at its end is done by ours: rte_eal_cleanup() is wrapped, too.
    assert output.count(" leaves") == output.count(" joined") == 2


@pytest.mark.parametrize("way", LINKED)
def test_application_refused(lab, way):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    output = application(way, *allow(lab.GROUP_NIC), *COMMON)
    assert ports(output) == []
    check_refused(output, lab)


@pytest.mark.parametrize("by", ["argument", "environment"])
@pytest.mark.parametrize("way", LINKED)
def test_application_at_risk(lab, way, by):
    """rte_eal_init() is wrapped in all of these, so our options can stand among EAL's."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    args, env = ([INSECURE], {}) if by == "argument" else ([], {"DPDK_IOASID_OPTS": INSECURE})
    output = application(way, *allow(lab.GROUP_NIC), *COMMON, *args, env=env)
    assert ports(output) == [lab.GROUP_NIC]
    check_at_risk(output, lab)


def test_d_into_a_static_application(lab):
    """Nothing can be redirected there: it ends, with one sentence."""
    output = application("static_stock", "-d", INSTALLED, "--no-pci", *COMMON, status=1)
    assert output.count("IOASID: not in use: this program does not use DPDK's shared "
                        "libraries") == 1
