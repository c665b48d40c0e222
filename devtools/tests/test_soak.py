# SPDX-License-Identifier: BSD-3-Clause
"""Packets for a long time, while devices, processes and memory come and go, and somebody watches:
nothing grows."""

import json
import os
import re
import socket
import threading
import time

import pytest

import kernel
import memory_client
from test_hotplug import counts, slot, wait_until  # noqa: F401 (a fixture)
from test_secondary import no_dead_sockets, proc_info  # noqa: F401 (a fixture)
from testpmd import Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers")

# At least two rounds. DPDK_IOASID_TEST_SOAK=3600, seconds, is for the patient, and so is
# DPDK_IOASID_TEST_CHURN=10000, allocations.
SECONDS = int(os.environ.get("DPDK_IOASID_TEST_SOAK", "0"))
ALLOCATIONS = int(os.environ.get("DPDK_IOASID_TEST_CHURN", "200"))
COMMANDS = ("/ioasid/info", "/ioasid/devices", "/ioasid/groups", "/ioasid/ioasids", "/ioasid/maps")


class Watcher:
    """Asks for all that telemetry has, each second, as a monitoring system does."""

    def __init__(self):
        self.scrapes, self.error, self.over = 0, None, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def run(self):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.settimeout(60)
                client.connect("/var/run/dpdk/rte/dpdk_telemetry.v2")
                client.recv(1024)
                while not self.over.wait(1):
                    self.scrape(client)
        except (OSError, ValueError, KeyError) as error:
            self.error = error

    def scrape(self, client):
        for command in COMMANDS:
            client.send(command.encode())
            json.loads(client.recv(1 << 16))[command]
        self.scrapes += 1


def size(pid):
    """What may not grow: resident memory without hugepages in KiB, and areas of memory."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        text = file.read()
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        areas = len(file.readlines())
    return int(re.search(r"^RssAnon:\s+(\d+)", text, re.M)[1]), areas


def device_comes_and_goes(testpmd, slot):
    bdf = slot()
    testpmd.command(f"port attach {bdf}")
    testpmd.command("stop")
    testpmd.command("port start all")
    testpmd.command("start tx_first")
    testpmd.forwarded(1000)
    at = len(testpmd.output)
    slot.un()
    testpmd.wait_for("Now total ports is 2", at=at)
    wait_until(slot.empty, f"{bdf} does not go")
    testpmd.command("stop")
    testpmd.command("start tx_first")


def one_round(lab, testpmd, slot):
    device_comes_and_goes(testpmd, slot)
    assert proc_info(lab).returncode == 0
    memory_client.run([*allow(lab.NIC0, lab.NIC1), "--proc-type=secondary"],
                      [lab.NIC0, "grow", "1,20,100"])
    testpmd.forwarded(1000)


@pytest.mark.one_kernel
@pytest.mark.usefixtures("no_dead_sockets")
def test_soak(lab, slot, capsys):  # noqa: F811
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "64",
                 app=["--hot-plug"]) as testpmd:
        testpmd.started()
        testpmd.command("start tx_first")
        with Watcher() as watcher:
            one_round(lab, testpmd, slot)  # what is made on first use
            before, sizes = counts(testpmd.pid), [size(testpmd.pid)]
            end = time.monotonic() + SECONDS
            while len(sizes) == 1 or time.monotonic() < end:
                one_round(lab, testpmd, slot)
                sizes.append(size(testpmd.pid))
                assert watcher.error is None
                assert counts(testpmd.pid) == before
                testpmd.output = testpmd.output[-10_000:]
            packets = testpmd.stats(0)["RX-packets"]
        anonymous, areas = zip(*sizes)
        with capsys.disabled():
            print(f"\n  {len(sizes) - 1} rounds, {watcher.scrapes} scrapes, {packets} packets at the "
                  f"first port; anonymous memory {anonymous[0]} -> {anonymous[-1]} KiB, at most "
                  f"{max(anonymous)}; areas {areas[0]} -> {areas[-1]}")
        testpmd.quit()
    assert set(areas) == {areas[0]}
    # Heaps grow by some steps at first; what goes on growing does so in the second half, too.
    half = len(anonymous) // 2
    assert half < 50 or max(anonymous[half:]) == max(anonymous[:half])
    assert not kernel.complaints()


@pytest.mark.one_kernel
@pytest.mark.usefixtures("no_dead_sockets", "no_faults")
def test_churn(lab, capsys):
    """Another process's memory comes and goes, hundreds of times, while packets flow."""
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va") as testpmd:
        testpmd.started()
        testpmd.command("start tx_first")
        before, first = counts(testpmd.pid), testpmd.stats(0)["RX-packets"]
        output = memory_client.run([*allow(lab.NIC0, lab.NIC1), "--proc-type=secondary"],
                                   [lab.NIC0, "churn", str(ALLOCATIONS)],
                                   timeout=240 + ALLOCATIONS)
        packets = testpmd.forwarded(1000)[0]["RX-packets"] - first
        assert counts(testpmd.pid) == before
        testpmd.quit()
    with capsys.disabled():
        print(f"\n  {output.splitlines()[-1]}; {packets} packets meanwhile")
