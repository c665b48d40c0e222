# SPDX-License-Identifier: BSD-3-Clause
"""Secondary processes on the primary's devices: come, go, crash, are wrong, are hostile."""

import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import nodes
import pci
import plugin
from testpmd import NOT_STARTED, Testpmd, allow

pytestmark = [pytest.mark.usefixtures("no_faults", "no_leftovers"), pytest.mark.every_dpdk]

RUNTIME = "/var/run/dpdk/rte/"
TWO_QUEUES = ["--rxq=2", "--txq=2", "--num-procs=2"]
# The same processors, but not the same numbers: those have caches in the pool that both share.
OTHER_LCORES = "2@0,3@1"
# Other addresses, from DPDK 23.03 on other UDP ports: the NICs spread what they receive over both
# processes' queues.
MULTI_FLOW = ["--txonly-multi-flow", "--rss-udp"]


def both(lab):
    return allow(lab.NIC0, lab.NIC1)


def alone(lab, *eal, **more):
    """A primary process that polls all queues: one a port."""
    return Testpmd(*eal, *both(lab), "--iova-mode=va", "-m", "256", **more)


def primary(lab):
    """A primary process that leaves half of the queues to a second testpmd."""
    return alone(lab, app=[*TWO_QUEUES, "--proc-id=0", *MULTI_FLOW])


def secondary(*eal, app=()):
    return Testpmd("--proc-type=secondary", *eal, cores=OTHER_LCORES,
                   app=[*TWO_QUEUES, "--proc-id=1", *MULTI_FLOW, *app])


def run(*command, env=None):
    result = subprocess.run(command, env=env or plugin.environment(), capture_output=True,
                            text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    print(result.stdout, result.stderr)
    return result


def proc_info(lab, *eal, **more):
    return run("dpdk-proc-info", *eal, *both(lab), "--", "-p", "0x3", "--stats", **more)


# ---- a second testpmd

def own_packets(testpmd, direction):
    """Packets that this process has passed through its own queues, by port."""
    text = testpmd.command("show fwd stats all").split("Accumulated")[0]
    return [int(n) for n in re.findall(direction + r"-packets: (\d+)", text)]


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


def uses_and_leaves(lab, testpmd):
    with secondary(*both(lab)) as other:
        other.started()
        assert other.ports() == [lab.NIC0, lab.NIC1]
        assert "/dev/ioasid" not in other.output
        receive_and_send(other, testpmd)
        other.quit()


def other_list_and_crash(lab, testpmd):
    """Fewer devices than the primary has are fine; of others there is one message."""
    pci.bind(lab.EDU_NIC, "vfio-pci")
    with secondary(*allow(lab.NIC1, lab.EDU_NIC), app=["--port-topology=chained"]) as other:
        other.started()
        assert other.ports() == [lab.NIC1]
        assert other.output.count("IOASID: the primary") == 1
        assert (f"the primary process ({testpmd.pid}) does not use these devices, so they "
                f"cannot be used here: [{lab.EDU_NIC}]. Give both processes the same -a list"
                ) in other.output
        other.command("set fwd txonly")
        other.command("start")
        wait_own_packets(other, "TX", 100)
        other.kill()
    testpmd.command("set fwd io")
    testpmd.forward(1000)
    # What was killed in the middle of a burst leaves the ring of its queue as it was then.
    testpmd.command("port stop all")
    testpmd.command("port start all")


def comes_back_and_survives(lab, testpmd):
    """It has copies of the devices' fds: the next primary says who."""
    with secondary(*both(lab)) as other:
        other.started()
        receive_and_send(other, testpmd)
        # It looks for the primary from time to time, and would end by itself.
        other.process.send_signal(signal.SIGSTOP)
        testpmd.kill()
        with alone(lab, app=NOT_STARTED) as again:
            output = again.failed()
        assert f"process {other.pid} (dpdk-testpmd) was a secondary" in output
        # Not the same runtime directory: EAL does not mind.
        with alone(lab, "--file-prefix=other", app=NOT_STARTED) as again:
            again.started()
            assert again.ports() == []
            output = again.quit()
        for bdf in (lab.NIC0, lab.NIC1):
            assert re.search(f"IOASID: {bdf}: .*process {other.pid} \\(dpdk-testpmd\\) has "
                             f"{pci.cdev(bdf)} open", output)
        other.kill()
    with alone(lab, app=NOT_STARTED) as again:
        again.started()
        assert again.ports() == [lab.NIC0, lab.NIC1]
        assert "was a secondary" not in again.quit()


@pytest.mark.core("secondary")
def test_second_testpmd(lab):
    """It receives and sends by itself, leaves, crashes, comes back, outlives the primary."""
    with primary(lab) as testpmd:
        testpmd.started()
        uses_and_leaves(lab, testpmd)
        other_list_and_crash(lab, testpmd)
        comes_back_and_survives(lab, testpmd)


# ---- DPDK's tools

def reads_statistics(lab, testpmd):
    without = plugin.environment(preload=False)
    for result in (proc_info(lab), proc_info(lab, "-d", plugin.INSTALLED, env=without)):
        assert result.returncode == 0
        received = re.findall(r"^  RX-packets: +(\d+)", result.stdout, re.M)
        assert len(received) == 2 and min(map(int, received)) >= 1000
        testpmd.forwarded(1000)


def capture_environment():
    """With testpmd's own mempool drivers first, which Debian's dumpcap and pdump are not linked to.

    Processes know what drives a pool by its number, in the order of loading. With stock EAL, too,
    testpmd calls another driver when it captures: it finds no mbufs there, or crashes.
    """
    text = subprocess.run(["ldd", shutil.which("dpdk-testpmd")], capture_output=True, text=True,
                          check=True).stdout
    libraries = re.findall(r"^\s(librte_mempool_(?!ring)\S+)", text, re.M)
    return plugin.environment(more={"LD_PRELOAD": " ".join([plugin.PLUGIN, *libraries])})


def captured(testpmd, command, files):
    """Run a capturing tool until each file has packets; its messages.

    It comes while packets flow, and goes while none do: DPDK frees the pool of a tool that ends at
    once, and the primary's thread may be about to take a buffer from it, with stock EAL, too.
    """
    with subprocess.Popen(command, env=capture_environment(), stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as tool:
        deadline = time.monotonic() + 60
        while not all(file.exists() and file.stat().st_size > 50 * 64 for file in files):
            assert tool.poll() is None and time.monotonic() < deadline
            time.sleep(0.5)
        testpmd.command("stop")
        tool.send_signal(signal.SIGINT)
        _, messages = tool.communicate(timeout=60)
    print(messages)
    assert tool.returncode == 0
    testpmd.command("start tx_first")
    testpmd.forwarded(1000)
    return messages


def captures(lab, testpmd, path):
    """dpdk-dumpcap takes no -a: it looks at all that is bound, and is told of what is too much."""
    pci.bind(lab.EDU_NIC, "vfio-pci")
    capture = path / "capture.pcapng"
    # -p: else it ends promiscuous mode with itself, and what comes back goes to another address.
    messages = captured(testpmd, ["dpdk-dumpcap", "-p", "-i", lab.NIC0, "-w", capture], [capture])
    assert messages.count("IOASID") == 1
    assert f"they cannot be used here: [{lab.EDU_NIC}]" in messages


def dumps(lab, testpmd, path):
    received, sent = path / "rx.pcap", path / "tx.pcap"
    captured(testpmd, ["dpdk-pdump", *both(lab), "--", "--pdump",
                       f"port=0,queue=*,rx-dev={received},tx-dev={sent},ring-size=256,"
                       "total-num-mbufs=2047"], [received, sent])


def stock_gets_nothing(lab, testpmd):
    """A primary by -d on a librte_eal that registers its own answer where nobody sees it has
    nothing to say but EAL's words."""
    result = proc_info(lab, env=plugin.environment(preload=False))
    assert result.returncode != 0
    direct = plugin.eal_calls_itself_directly()
    testpmd.wait_for("EAL: Cannot open /dev/vfio/" if direct else "a secondary process (")
    testpmd.forwarded(1000)
    assert testpmd.output.count("runs without dpdk-ioasid") == (not direct)


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


def message_format():
    """What follows the kind is aligned to eight bytes from 25.11 on, and so is the end."""
    gap = "4x" if plugin.abi() >= 26 else ""
    return f"=i{gap}{NAME}sii{PARAMETERS}s{gap}"


def envelope(parameters, length=None, descriptors=0, name=b"ioasid_mp", kind=REQUEST):
    """DPDK's message, without the array of descriptors, which does not travel."""
    length = len(parameters) if length is None else length
    return struct.pack(message_format(), kind, name, length, descriptors,
                       parameters.ljust(PARAMETERS, b"\xee"))


def parameters(bdf, request=DEVICE, version=2, rest=bytes(20)):
    return struct.pack("=II32s", version, request, bdf) + rest


def result(reply):
    kind, _, length, descriptors, text = struct.unpack(message_format(), reply)
    assert kind == REPLY and length == 60
    return struct.unpack_from("=i", text, 40)[0], descriptors


def wrong_messages():
    right = parameters(b"0000:01:00.0")
    return {
        "short": envelope(right[:-1]),
        "version": envelope(parameters(b"0000:01:00.0", version=1)),
        "no such device": envelope(parameters(b"0000:7f:00.0")),
        "descriptors that are not there": envelope(right, descriptors=8),
    }


def hostile_messages(lab, testpmd):
    """Real ones, over the socket: what is in them app/test/test_multiprocess.c goes through."""
    with peer() as client:
        for what, message in wrong_messages().items():
            client.send(message)
            error, descriptors = result(client.recv(4096))
            print(f"{what}: {error}")
            assert error < 0 and descriptors == 0
        # The same with the right contents: what fails above is what was meant to.
        client.send(envelope(parameters(lab.NIC0.encode())))
        reply, (descriptor, *_), _, _ = socket.recv_fds(client, 4096, 8)
        assert result(reply) == (0, 1)
        assert os.readlink(f"/proc/self/fd/{descriptor}") == pci.cdev(lab.NIC0)
        os.close(descriptor)
    testpmd.forwarded(1000)
    assert proc_info(lab).returncode == 0
    # EAL ends its channel at a message that has not its size; the primary goes on.
    with peer() as client:
        for garbage in (b"\xff" * 11, b"\xff" * 4096):
            client.send(garbage)
    testpmd.forwarded(1000)


# ---- all of them with one primary

@pytest.fixture
def no_dead_sockets():
    """Of killed secondaries: with one of these in its way EAL, stock too, fails the next hotplug
    request with "No such file or directory": two of its threads find it dead, the second has
    nothing left to remove."""
    for path in glob.glob(RUNTIME + "mp_socket_*"):
        os.unlink(path)


@pytest.mark.one_kernel
@pytest.mark.usefixtures("installed", "no_dead_sockets")
def test_tools(lab, tmp_path):
    """They come while packets flow; the primary has its plugin by EAL's -d."""
    with alone(lab, "-d", plugin.INSTALLED, preload=False) as testpmd:
        testpmd.started()
        testpmd.command("start tx_first")
        testpmd.forwarded(1000)
        reads_statistics(lab, testpmd)
        captures(lab, testpmd, tmp_path)
        dumps(lab, testpmd, tmp_path)
        stock_gets_nothing(lab, testpmd)
        hostile_messages(lab, testpmd)
        testpmd.quit()


def in_another_container(lab, env=None):
    """A sidecar: processes and nodes of its own, and no option."""
    result = run("unshare", "-p", "-f", "--mount-proc", "dpdk-proc-info", *both(lab), "--",
                 "-p", "0x3", "--stats", env=env)
    assert result.returncode == 0
    assert len(re.findall(r"^  RX-packets: +\d+", result.stdout, re.M)) == 2
    return result.stderr


@pytest.mark.one_kernel
def test_secondary_without_nodes(lab):
    """It asks the primary who does the work, and not what it can see itself."""
    with alone(lab, app=NOT_STARTED) as testpmd:
        testpmd.started()
        with nodes.away():
            errors = in_another_container(lab)
        assert "IOASID" not in errors
        errors = in_another_container(
            lab, env=plugin.environment(more={"DPDK_IOASID_OPTS": "--ioasid-mode=container"}))
        assert "--ioasid-mode is not used here: the primary process decides" in errors
        assert "runs without" not in testpmd.quit()


@pytest.mark.one_kernel
def test_secondary_of_a_primary_in_container_mode(lab):
    """The nodes are there, and the primary does not use them."""
    with alone(lab, "--ioasid-mode=container", app=NOT_STARTED) as testpmd:
        testpmd.started()
        errors = in_another_container(lab)
        assert "as in the primary process: EAL's own VFIO groups and containers" in errors
        testpmd.quit()


@pytest.mark.one_kernel
def test_stock_primary(lab):
    """The secondary says whom it has asked, once."""
    with alone(lab, preload=False, app=NOT_STARTED) as testpmd:
        testpmd.started()
        result = proc_info(lab)
        assert result.stderr.count("IOASID") == 1
        assert (f": the primary process ({testpmd.pid}) does not answer: it runs without "
                "dpdk-ioasid, or hangs. Start both processes under dpdk-ioasid") in result.stderr
        testpmd.quit()
