# SPDX-License-Identifier: BSD-3-Clause
"""The group rule: every branch, with a NIC that shares its IOMMU group with a disk controller."""

import re
import subprocess
import sys

import pytest

import pci
import plugin
from iommufd import Iommufd
from testpmd import AT_RISK, COMMON, NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")


def refused(*eal):
    """Start testpmd, which must come up without ports; what it printed."""
    with Testpmd(*eal, *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == []
        testpmd.quit()
        return testpmd.output


def accepted(ports, *eal):
    with Testpmd(*eal, *COMMON, app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == list(ports)
        testpmd.quit()
        return testpmd.output


def check_refusal(output, lab, state):
    """Device, group, the missing BDF with IDs, class and driver, and the three ways out."""
    number = pci.group(lab.GROUP_NIC)
    print(output)
    assert f"{lab.GROUP_NIC} refused: its IOMMU group {number} holds other devices" in output
    missing = re.findall(r"^  (\S+) \[(\w+):(\w+)\] class (\w+), driver (\S+): (.*)$", output, re.M)
    driver = pci.driver(lab.GROUP_HD) or "none"
    assert missing == [(lab.GROUP_HD, "1000", "0012", "010000", driver, state)]
    assert f"-a {lab.GROUP_HD}" in output
    assert "move the card" in output
    assert "accept the risk: --allow-insecure-vfio" in output
    assert AT_RISK not in output


def at_risk(output):
    """The lists in the warnings, one string each."""
    return re.findall(re.escape(AT_RISK) + r"([^\]]*)\]", output)


def are_one_card(first, second):
    """Not so where the lab puts them behind a bridge."""
    return first.split(".")[0] == second.split(".")[0]


def test_the_group_is_shared(lab):
    bridges = pci.others_of_group(lab.GROUP_NIC, lab.GROUP_HD)
    assert len(bridges) == (0 if are_one_card(lab.GROUP_NIC, lab.GROUP_HD) else 1)


@pytest.mark.every_dpdk
@pytest.mark.packaged_kernel
@pytest.mark.core("group rule")
def test_disk_unbound(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    output = refused(*allow(lab.GROUP_NIC))
    check_refusal(output, lab, "not named by -a, not bound to vfio-pci")


@pytest.mark.packaged_kernel
@pytest.mark.core("group rule")
def test_disk_on_vfio_but_not_named(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    output = refused(*allow(lab.GROUP_NIC))
    check_refusal(output, lab, "not named by -a")


@pytest.mark.one_kernel
@pytest.mark.packaged_kernel
def test_disk_named_but_not_bound(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    output = refused(*allow(lab.GROUP_NIC, lab.GROUP_HD))
    check_refusal(output, lab, "named, but not bound to vfio-pci")


@pytest.mark.every_dpdk
@pytest.mark.packaged_kernel
@pytest.mark.core("group rule")
def test_both_named(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    output = accepted([lab.GROUP_NIC], *allow(lab.GROUP_NIC, lab.GROUP_HD))
    assert not at_risk(output)


@pytest.mark.one_kernel
def test_both_named_the_flag_changes_nothing(lab):
    """No risk, no warning."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    output = accepted([lab.GROUP_NIC], *allow(lab.GROUP_NIC, lab.GROUP_HD),
                      "--allow-insecure-vfio")
    assert not at_risk(output)


@pytest.mark.one_kernel
@pytest.mark.parametrize("driver", [None, "vfio-pci"], ids=["unbound", "vfio-pci"])
@pytest.mark.packaged_kernel
@pytest.mark.core("group rule")
def test_risk_accepted(lab, driver):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    if driver:
        pci.bind(lab.GROUP_HD, driver)
    output = accepted([lab.GROUP_NIC], *allow(lab.GROUP_NIC), "--allow-insecure-vfio")
    assert at_risk(output) == [lab.GROUP_HD]


@pytest.mark.one_kernel
@pytest.mark.every_dpdk
def test_risk_accepted_by_environment(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with Testpmd(*allow(lab.GROUP_NIC), *COMMON, app=NOT_STARTED,
                 env={"DPDK_IOASID_OPTS": "--allow-insecure-vfio"}) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.GROUP_NIC]
        assert at_risk(testpmd.output) == [lab.GROUP_HD]
        testpmd.quit()


def test_disk_held_by_another_process(lab):
    """Somebody else's iommufd owns the group: the kernel says EPERM, we say who it is."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    holder = ("import sys; sys.path.insert(0, sys.argv[1]); from iommufd import Iommufd\n"
              "fd = Iommufd(); fd.bind(sys.argv[2]); print('held', flush=True); input()")
    with subprocess.Popen([sys.executable, "-c", holder, sys.path[0], lab.GROUP_HD],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=plugin.environment(preload=False)) as process:
        assert process.stdout.readline() == "held\n"
        output = refused(*allow(lab.GROUP_NIC, lab.GROUP_HD))
        process.communicate("\n")
    print(output)
    assert f"{lab.GROUP_NIC}: JOIN failed (Operation not permitted)" in output
    assert f"process {process.pid} (python3) has {pci.cdev(lab.GROUP_HD)} open" in output


def test_disk_held_by_a_kernel_driver(lab):
    """The kernel refuses JOIN; the message names device and driver. No flag helps."""
    with open("/proc/cmdline", encoding="ascii") as words:
        if "initcall_blacklist=sym2_init" in words.read():
            pytest.skip("this machine is started without the disk's driver")
    pci.bind(lab.GROUP_HD, "sym53c8xx")
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    output = refused(*allow(lab.GROUP_NIC), "--allow-insecure-vfio")
    print(output)
    assert f"{lab.GROUP_NIC}: JOIN failed" in output
    assert f"{lab.GROUP_HD} is held by the kernel driver sym53c8xx" in output
    # This driver leaves the controller running when it is unbound: faults, but not ours.
    pci.unbind(lab.GROUP_HD)
    pci.set_bus_master(lab.GROUP_HD, False)
    subprocess.run(["dmesg", "--clear"], check=True)


@pytest.mark.one_kernel
def test_nic_and_edu(lab):
    pci.bind(lab.EDU_NIC, "vfio-pci")
    output = refused(*allow(lab.EDU_NIC))
    assert f"{lab.EDU} [1234:11e8]" in output
    output = accepted([lab.EDU_NIC], *allow(lab.EDU_NIC), "--allow-insecure-vfio")
    assert at_risk(output) == [lab.EDU]
    pci.bind(lab.EDU, "vfio-pci")
    output = accepted([lab.EDU_NIC], *allow(lab.EDU_NIC, lab.EDU))
    assert not at_risk(output)


@pytest.mark.one_kernel
def test_one_warning_a_group(lab):
    """Two groups at risk are two warnings, each once."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.EDU_NIC, "vfio-pci")
    output = accepted([lab.GROUP_NIC, lab.EDU_NIC], *allow(lab.GROUP_NIC, lab.EDU_NIC),
                      "--allow-insecure-vfio")
    assert sorted(at_risk(output)) == sorted([lab.GROUP_HD, lab.EDU])


@pytest.mark.one_kernel
@pytest.mark.every_dpdk
@pytest.mark.packaged_kernel
@pytest.mark.core("group rule")
def test_no_list_takes_all_that_is_bound(lab):
    """Without -a, binding was the explicit act: the disk on vfio-pci joins, too."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    output = accepted([lab.NIC0, lab.NIC1, lab.GROUP_NIC])
    assert not at_risk(output)


@pytest.mark.one_kernel
@pytest.mark.every_dpdk
@pytest.mark.packaged_kernel
def test_no_list_disk_unbound(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    output = accepted([lab.NIC0, lab.NIC1])
    check_refusal(output, lab, "not named by -a, not bound to vfio-pci")


@pytest.mark.one_kernel
def test_no_list_disk_blocked(lab):
    """-b takes a device out of the explicit set."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    output = accepted([lab.NIC0, lab.NIC1], "-b", lab.GROUP_HD)
    check_refusal(output, lab, "not named by -a")


@pytest.mark.one_kernel
def test_short_bdf_names_the_same_device(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    short = [bdf.removeprefix("0000:") for bdf in (lab.GROUP_NIC, lab.GROUP_HD)]
    output = accepted([lab.GROUP_NIC], *allow(*short))
    assert not at_risk(output)


@pytest.mark.one_kernel
def test_bridge_is_exempt_and_shown_at_debug(lab):
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    if are_one_card(lab.GROUP_NIC, lab.GROUP_HD):
        pytest.skip("the group is one card's functions, without a bridge")
    [bridge] = pci.others_of_group(lab.GROUP_NIC, lab.GROUP_HD)
    line = f"{bridge} in IOMMU group {pci.group(lab.GROUP_NIC)} is a bridge: exempt"
    output = accepted([lab.GROUP_NIC], *allow(lab.GROUP_NIC, lab.GROUP_HD))
    assert line not in output
    output = accepted([lab.GROUP_NIC], *allow(lab.GROUP_NIC, lab.GROUP_HD),
                      "--log-level=iommu.ioasid:debug")
    assert line in output


def test_refused_device_is_free_for_others(lab):
    """Nothing stays attached or joined after a refusal, while testpmd goes on running."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    with Testpmd(*allow(lab.GROUP_NIC, lab.NIC0), *COMMON,
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0]
        with Iommufd() as other:
            other.attach(other.bind(lab.GROUP_NIC), other.ioas())
        testpmd.quit()
