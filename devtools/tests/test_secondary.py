# SPDX-License-Identifier: BSD-3-Clause
"""Secondary processes on the primary's devices: come, go, crash, are wrong, are hostile."""

import contextlib
import os
import re
import socket
import struct
import subprocess
import time

import pytest

import pci
import plugin
from testpmd import Testpmd, allow

pytestmark = [
    pytest.mark.usefixtures("no_faults", "no_leftovers"),
    # They drive two processes at a time and have not been seen to pass as a whole.
    pytest.mark.skipif("LAB_SECONDARY" not in os.environ,
                       reason="secondary processes are in the making: LAB_SECONDARY=1 runs these"),
]

RUNTIME = "/var/run/dpdk/rte/"
TWO_QUEUES = ["--rxq=2", "--txq=2", "--num-procs=2"]
# Random addresses: the NICs spread what they receive over both processes' queues.
MULTI_FLOW = ["--txonly-multi-flow"]


def alone(lab, *bdfs, **more):
    """A primary process that polls all queues: one a port."""
    return Testpmd(*allow(*(bdfs or (lab.NIC0, lab.NIC1))), "--iova-mode=va", "-m", "256", **more)


def primary(lab, **more):
    """A primary process that leaves half of the queues to a second testpmd."""
    return alone(lab, app=[*TWO_QUEUES, "--proc-id=0", *MULTI_FLOW], **more)


def secondary(*eal, app=(), **more):
    return Testpmd("--proc-type=secondary", *eal,
                   app=[*TWO_QUEUES, "--proc-id=1", *MULTI_FLOW, *app], **more)


def both(lab):
    return allow(lab.NIC0, lab.NIC1)


def run(*command, timeout=60, preload=True):
    result = subprocess.run(command, env=plugin.environment(preload), capture_output=True,
                            text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL)
    print(result.stdout, result.stderr)
    return result


def own_packets(testpmd, direction):
    """Packets that this process has passed through its own queues, by port."""
    text = testpmd.command("show fwd stats all")
    return [int(n) for n in re.findall(direction + r"-packets: (\d+)", text.split("Accumulated")[0])]


def wait_own_packets(testpmd, direction, count):
    deadline = time.monotonic() + 60
    while min(own_packets(testpmd, direction), default=0) < count:
        assert time.monotonic() < deadline, testpmd.command("show fwd stats all")
        time.sleep(0.5)


def receive_and_send(testpmd, other):
    """This process's own queues carry packets in both directions."""
    other.command("set fwd txonly")
    other.command("start")
    testpmd.command("set fwd rxonly")
    testpmd.command("start")
    wait_own_packets(testpmd, "RX", 100)
    testpmd.command("stop")
    other.command("stop")
    other.command("set fwd rxonly")
    other.command("start")
    testpmd.command("set fwd txonly")
    testpmd.command("start")
    # The rings were full of what nobody had fetched: at most 512 a port are old.
    wait_own_packets(other, "RX", 1000)
    testpmd.command("stop")
    other.command("stop")


def test_proc_info(lab):
    with alone(lab) as testpmd:
        testpmd.started()
        testpmd.command("start tx_first")
        testpmd.forwarded(1000)
        for _ in range(2):
            result = run("dpdk-proc-info", *both(lab), "--", "-p", "0x3", "--stats")
            assert result.returncode == 0
            received = re.findall(r"^  RX-packets: +(\d+)", result.stdout, re.M)
            assert len(received) == 2 and min(map(int, received)) >= 1000
        testpmd.forwarded(1000)
        testpmd.quit()


def mempool_libraries():
    """testpmd's own: the numbers of mempool drivers, which processes share, come from link order.

    Without them the pool of Debian's dumpcap is another driver's in testpmd: no packet arrives.
    """
    libraries = subprocess.run(["ldd", "/usr/bin/dpdk-testpmd"], capture_output=True, text=True,
                               check=True).stdout
    return re.findall(r"^\s(librte_mempool_(?!ring)\S+)", libraries, re.M)


def test_dumpcap(lab, tmp_path):
    """dpdk-dumpcap takes no -a: here, the primary uses all that is bound."""
    capture = tmp_path / "capture.pcapng"
    env = plugin.environment()
    env["LD_PRELOAD"] = " ".join([env["LD_PRELOAD"], *mempool_libraries()])
    with alone(lab) as testpmd:
        testpmd.started()
        testpmd.command("start tx_first")
        for _ in range(2):
            result = subprocess.run(["dpdk-dumpcap", "-i", lab.NIC0, "-c", "50", "-w", capture],
                                    env=env, capture_output=True, text=True, check=False,
                                    timeout=90, stdin=subprocess.DEVNULL)
            print(result.stdout, result.stderr)
            assert result.returncode == 0
            assert "IOASID" not in result.stderr
            assert capture.stat().st_size > 50 * 64
            testpmd.forwarded(1000)
        testpmd.quit()


def test_second_testpmd(lab):
    """It receives and sends by itself, leaves and comes back, under full load of the primary."""
    with primary(lab) as testpmd:
        testpmd.started()
        for _ in range(2):
            with secondary(*both(lab)) as other:
                other.started()
                assert other.ports() == [lab.NIC0, lab.NIC1]
                assert "/dev/ioasid" not in other.output
                receive_and_send(other, testpmd)
                other.quit()
        testpmd.command("set fwd io")
        testpmd.forward(1000)
        testpmd.quit()


def test_kill_and_come_back(lab):
    with primary(lab) as testpmd:
        testpmd.started()
        with secondary(*both(lab)) as other:
            other.started()
            other.command("set fwd txonly")
            other.command("start")
            wait_own_packets(other, "TX", 100)
            other.kill()
        testpmd.forward(1000)
        with secondary(*both(lab)) as other:
            other.started()
            receive_and_send(other, testpmd)
            other.quit()
        testpmd.quit()


def test_subset(lab):
    """Fewer devices than the primary has are fine."""
    with primary(lab) as testpmd:
        testpmd.started()
        with secondary(*allow(lab.NIC1), app=["--port-topology=chained"]) as other:
            other.started()
            assert other.ports() == [lab.NIC1]
            assert "IOASID: the primary" not in other.output
            other.quit()
        testpmd.quit()


@pytest.mark.parametrize("named", [True, False], ids=["list", "no list"])
def test_other_list(lab, named):
    """A device that the primary does not use: one message, and the other port works."""
    with Testpmd(*allow(lab.NIC0), "--iova-mode=va", "-m", "256",
                 app=[*TWO_QUEUES, "--proc-id=0", "--port-topology=chained"]) as testpmd:
        testpmd.started()
        with secondary(*(both(lab) if named else ()), app=["--port-topology=chained"]) as other:
            other.started()
            assert other.ports() == [lab.NIC0]
            assert other.output.count("IOASID: the primary process") == 1
            assert (f"the primary process ({testpmd.pid}) does not use these devices, so they "
                    f"cannot be used here: [{lab.NIC1}]. Give both processes the same -a list"
                    ) in other.output
            other.quit()
        testpmd.quit()


def test_stock_secondary(lab):
    """It gets no devices, and the primary says why."""
    with alone(lab) as testpmd:
        testpmd.started()
        result = run("dpdk-proc-info", *both(lab), "--", "--stats", preload=False)
        assert result.returncode != 0
        testpmd.wait_for("a secondary process without dpdk-ioasid asked for VFIO devices")
        testpmd.forward(1000)
        result = run("dpdk-proc-info", *both(lab), "--", "--stats")
        assert result.returncode == 0
        assert testpmd.output.count("without dpdk-ioasid asked") == 1
        testpmd.quit()


def test_stock_primary(lab):
    """The secondary says whom it has asked, once."""
    with alone(lab, preload=False) as testpmd:
        testpmd.started()
        result = run("dpdk-proc-info", *both(lab), "--", "--stats")
        assert result.stderr.count("IOASID") == 1
        assert (f"{lab.NIC0}: the primary process ({testpmd.pid}) does not answer: it runs "
                "without dpdk-ioasid, or hangs") in result.stderr
        testpmd.quit()


def test_primary_without_channel(lab):
    """--in-memory: no secondary processes, and no complaint about that."""
    with Testpmd(*both(lab), "--iova-mode=va", "-m", "256", "--in-memory") as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        assert "secondary" not in testpmd.output
        testpmd.quit()


# ---- hostile messages

NAME, PARAMETERS = 64, 256
REQUEST, REPLY = 1, 2
DEVICE = 2


@contextlib.contextmanager
def peer():
    """A socket such as a secondary process has."""
    path = RUNTIME + "mp_socket_hostile"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind(path)
        try:
            client.settimeout(10)
            client.connect(RUNTIME + "mp_socket")
            yield client
        finally:
            os.unlink(path)


def envelope(parameters, length=None, descriptors=0, name=b"ioasid_mp", kind=REQUEST):
    """DPDK's message, without the array of descriptors, which does not travel."""
    length = len(parameters) if length is None else length
    return struct.pack(f"=i{NAME}sii{PARAMETERS}s", kind, name, length, descriptors,
                       parameters.ljust(PARAMETERS, b"\xee"))


def parameters(bdf, request=DEVICE, version=1, rest=bytes(16)):
    return struct.pack("=II32s", version, request, bdf) + rest


def result(reply):
    kind, _, length, descriptors, text = struct.unpack(f"=i{NAME}sii{PARAMETERS}s", reply)
    assert kind == REPLY and length == 56
    return struct.unpack_from("=i", text, 40)[0], descriptors


WRONG = {
    "short": envelope(parameters(b"0000:01:00.0")[:-1]),
    "empty": envelope(b""),
    "long": envelope(bytes(PARAMETERS)),
    "version": envelope(parameters(b"0000:01:00.0", version=2)),
    "request": envelope(parameters(b"0000:01:00.0", request=77)),
    "no end of string": envelope(parameters(b"0000:01:00.0" + b"A" * 20)),
    "no such device": envelope(parameters(b"0000:7f:00.0")),
    "no device": envelope(parameters(b"")),
    "path": envelope(parameters(b"../../../dev/mem")),
    "format": envelope(parameters(b"%n%n%s%s")),
    "descriptors that are not there": envelope(parameters(b"0000:01:00.0"), descriptors=8),
}


def test_hostile_messages(lab):
    with alone(lab) as testpmd:
        testpmd.started()
        testpmd.command("start tx_first")
        with peer() as client:
            for what, message in WRONG.items():
                client.send(message)
                error, descriptors = result(client.recv(4096))
                print(f"{what}: {error}")
                assert error < 0 and descriptors == 0
            client.send(envelope(b"\xff" * 12, name=b"eal_vfio_mp_sync"))
            client.recv(4096)
            # The same with the right contents: what fails above is what was meant to.
            client.send(envelope(parameters(lab.NIC0.encode())))
            reply, (descriptor, *_), _, _ = socket.recv_fds(client, 4096, 8)
            assert result(reply) == (0, 1)
            assert os.readlink(f"/proc/self/fd/{descriptor}") == pci.cdev(lab.NIC0)
            os.close(descriptor)
        testpmd.forwarded(1000)
        assert run("dpdk-proc-info", *both(lab), "--", "--stats").returncode == 0
        # EAL ends its channel at a message that has not its size; the primary goes on.
        with peer() as client:
            for garbage in (b"\xff" * 11, b"\xff" * 4096):
                client.send(garbage)
        testpmd.forwarded(1000)
        testpmd.quit()
