# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch under the plugin, by the recipes of doc/guides/programs.rst."""

import os

import pytest

import pci
import plugin
from vswitch import Ovs, wait_until

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers", "installed")

# To everybody, from ::1: what it holds does not matter, it goes round between the two NICs.
PACKET = "ffffffffffff020000000001" + "88b5" + "00" * 50
RECIPES = os.path.abspath("doc/guides/recipes")
BY_D = "-d librte_iommu_ioasid.so "


@pytest.fixture
def switch(lab, tmp_path):
    unpacked = os.environ.get("LAB_OVS")
    if not unpacked:
        pytest.skip("LAB_OVS does not say where Open vSwitch is unpacked (devtools/test does)")
    with Ovs(unpacked, tmp_path) as ovs:
        yield ovs


def recipe(ovs, name, *without):
    """A file of the guide's, in its own words; `without` some of them."""
    with open(os.path.join(RECIPES, name), encoding="ascii") as file:
        text = file.read()
    for words in without:
        assert words in text
        text = text.replace(words, "")
    ovs.shell(text)


def add_ports(ovs, lab):
    assert (lab.NIC0, lab.NIC1) == ("0000:01:00.0", "0000:02:00.0"), "as the recipe has them"
    recipe(ovs, "ovs-ports.sh")
    ovs.vsctl("set-fail-mode", "br0", "secure")  # no flow but ours


def check_forwarding(ovs):
    """What leaves by p0 comes in by p1, over the cable, and is sent to p0 again."""
    wait_until(lambda: ovs.has_ports("p0", "p1"), "the ports do not come", ovs.daemon)
    ovs.ofctl("del-flows", "br0")
    ovs.ofctl("add-flow", "br0", "in_port=p1,actions=output:p0")
    before = ovs.received("p1")

    def circulates():
        # Until the link is up it is lost.
        ovs.ofctl("packet-out", "br0", f"in_port=controller packet={PACKET} actions=output:p0")
        return ovs.received("p1") > before + 10_000
    wait_until(circulates, "no packets go round", ovs.daemon)


def log_has(ovs, *words):
    text = ovs.log.read_text()
    return all(word in text for word in words)


@pytest.mark.parametrize("way", ["run", "d"])
def test_two_ports(lab, switch, way):
    recipe(switch, "ovs-settings.sh", *([BY_D] if way == "run" else []))

    def start():
        if way == "run":
            switch.start(wrapper=["env", f"DPDK_IOASID_PLUGIN={plugin.PLUGIN}", plugin.COMMAND,
                                  "run", "--"])
        else:  # by its name alone, as where it is installed
            switch.start(env=plugin.library_path(os.path.dirname(plugin.INSTALLED)))
    start()
    add_ports(switch, lab)
    check_forwarding(switch)
    assert log_has(switch, f"IOASID: {lab.NIC0}: IOMMU group", f"IOASID: {lab.NIC1}: IOMMU group")
    # As it comes back after a crash: its ports are in the database.
    switch.kill()
    start()
    check_forwarding(switch)
    switch.stop()


def test_a_port_that_is_refused(lab, switch):
    """ovs-vsctl show says that it failed, and the log why; named by -a, its neighbour joins it."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    recipe(switch, "ovs-settings.sh", BY_D)
    switch.start(env={"LD_PRELOAD": plugin.PLUGIN})
    add_ports(switch, lab)
    switch.add_port("p2", lab.GROUP_NIC)
    assert f"Error attaching device '{lab.GROUP_NIC}' to DPDK" in switch.vsctl("show")
    number = pci.group(lab.GROUP_NIC)
    assert log_has(switch, f"IOASID: {lab.GROUP_NIC} refused: its IOMMU group {number} holds other "
                           f"devices", lab.GROUP_HD)
    check_forwarding(switch)
    switch.stop()
