# SPDX-License-Identifier: BSD-3-Clause
"""Suricata under the plugin, by the recipe of doc/guides/programs.rst."""

import os
import signal
import socket
import struct
import subprocess

import pytest

import pci
import plugin
import qmp
from test_command import plug, unplug
from test_hotplug import has_joined
from vswitch import wait_until

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers", "all_drivers")

RECIPE = os.path.abspath("doc/guides/recipes/suricata.yaml")
RULE = 'alert udp any any -> any 4789 (msg:"seen"; content:"hello"; sid:1000001;)\n'


@pytest.fixture
def sender(lab):
    """A NIC of the kernel's on the cable: send(frame)."""
    qmp.command("netdev_add", type="hubport", id="cable-plugged", hubid=0)
    bdf = plug("e1000e", netdev="cable-plugged", mac="02:00:00:00:00:60", romfile="")
    names = pci.path(bdf, "net")
    wait_until(lambda: os.path.exists(names) and os.listdir(names), "e1000e does not take the NIC")
    [name] = os.listdir(names)
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((name, 0))
        yield link.send
    unplug(bdf)
    qmp.command("netdev_del", id="cable-plugged")


def checksum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def datagram(data):
    """To everybody, by UDP, as a frame."""
    udp = struct.pack(">HHHH", 4789, 4789, 8 + len(data), 0) + data
    fields = [0x45, 0, 20 + len(udp), 1, 0, 64, socket.IPPROTO_UDP, 0,
              socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")]
    layout = ">BBHHHBBH4s4s"
    fields[7] = checksum(struct.pack(layout, *fields))
    return b"\xff" * 6 + bytes.fromhex("020000000060") + b"\x08\x00" + \
        struct.pack(layout, *fields) + udp


def test_suricata_sees(lab, sender, tmp_path):
    unpacked = os.environ.get("LAB_SURICATA")
    if not unpacked:
        pytest.skip("LAB_SURICATA does not say where Suricata is unpacked (devtools/test does)")
    rules, alerts, log = tmp_path / "rules", tmp_path / "fast.log", tmp_path / "log"
    rules.write_text(RULE)
    assert lab.NIC0 in open(RECIPE, encoding="ascii").read()
    env = {**plugin.environment(preload=False, more={"DPDK_IOASID_PLUGIN": plugin.PLUGIN}),
           **plugin.library_path(f"{unpacked}/usr/lib/x86_64-linux-gnu")}
    with open(log, "w", encoding="ascii") as out, subprocess.Popen(
            [plugin.COMMAND, "run", "--", f"{unpacked}/usr/bin/suricata", "-c", RECIPE, "--dpdk",
             "-l", tmp_path, "-S", rules], env=env, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT) as suricata:
        try:
            def is_told():
                # Until the link is up it is lost.
                sender(datagram(b"hello"))
                return alerts.exists() and "seen" in alerts.read_text()
            wait_until(is_told, "no alert", suricata)
            # Of what DPDK and the plugin say it shows warnings and worse.
            assert has_joined(suricata.pid, lab.NIC0)
            suricata.send_signal(signal.SIGINT)
            assert suricata.wait(120) == 0
        finally:
            suricata.kill()
            print(log.read_text())
