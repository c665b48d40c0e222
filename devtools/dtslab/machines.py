# SPDX-License-Identifier: BSD-3-Clause
"""The two machines that DTS wants, as two guests of the lab: SUT (system under test) and TG
(traffic generator), two cables between them, and ssh to each on a port of 127.0.0.1.

A cable is UDP between two ports of 127.0.0.1: what the other side does not read is lost, as on a
real one. (QEMU keeps thousands of frames for a Unix socket whose reader is slow, and is busy asking
whether it may write.)
"""

import contextlib
import os
import select
import socket
import subprocess
import time

from labvm.common import CHECKOUT, LabError, die_with_parent

USER = "dtsuser"
# Slots on the root bus that the lab leaves free; node.py finds the NICs by them.
SLOTS = ("3", "4")
SLOT_MANAGEMENT = "5"
BOOT_LIMIT = 300  # the lab itself tries again where a guest does not boot

# What is not the same for the two. l2fwd wants four lcores beside the first, mtu 1.4 GB of mbufs.
# Functional suites send by the generator's kernel.
SUT = {"name": "sut", "nic": "igb", "macs": "7", "dpdk driver": "vfio-pci",
       "options": ["--cpus=5", "--mem=4G", "--hugepages=1200"]}
TG = {"name": "tg", "nic": "e1000e", "macs": "8", "dpdk driver": "e1000e",
      "options": ["--cpus=2", "--mem=1536M", "--hugepages=0", "--append=intel_iommu=off"]}
FUNCTIONAL = SUT, TG

# For performance one core forwards, and generator and SUT must not take each other's processor.
# The generator has a DPDK, too; an IOMMU to emulate would cost it frames.
PERF = ({**SUT, "options": ["--cpus=3", "--mem=2G", "--hugepages=512"], "processor": 0},
        {**TG, "options": [*TG["options"], "--hugepages=192",
                           "--append=vfio.enable_unsafe_noiommu_mode=1"],
         "dpdk driver": "vfio-pci", "processor": 1})


class Machine:
    """One that has been started."""

    def __init__(self, what, process, port):
        self.name, self.driver, self.dpdk_driver = what["name"], what["nic"], what["dpdk driver"]
        self.process, self.port = process, port
        self.bdfs = []

    def wait(self):
        """For the line that node.py prints once it can be logged into."""
        deadline = time.monotonic() + BOOT_LIMIT
        line = ""
        while not line.startswith("ready "):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise LabError(f"{self.name} was not ready within {BOOT_LIMIT} s")
            line = self.process.stdout.readline()
            if not line:
                raise LabError(f"{self.name} ended with {self.process.wait()}")
        self.bdfs = line.split()[1:]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def pair(options, directory, environment, kinds):
    """Both machines, booted; directory is for the kernels' logs."""
    ssh_sut, ssh_tg, *ends = free_ports(2 + 2 * len(SLOTS))
    near, far = ends[::2], ends[1::2]
    with contextlib.ExitStack() as cleanup:
        machines = []
        for what, port, cables in zip(kinds, (ssh_sut, ssh_tg), (zip(near, far), zip(far, near))):
            machine = start(what, port, cables, options, directory, environment)
            cleanup.callback(machine.stop)
            machines.append(machine)
        for machine in machines:
            machine.wait()
        yield machines


def start(what, port, cables, options, directory, environment):
    """cables: (our UDP port, the other's) for each."""
    command = [*on_processor(what), os.path.join(CHECKOUT, "devtools/lab"), "run",
               "--kernel", options.kernel,
               "--root", options.root, "--timeout", "0", *what["options"],
               *(f"--qemu-arg={arg}" for arg in devices(what, port, cables)),
               "--", "/usr/bin/python3", "-u", "devtools/dtslab/node.py", what["name"]]
    environment = {**os.environ, **environment,
                   "LAB_LOG": os.path.join(directory, f"kernel-{what['name']}.log")}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, text=True, bufsize=1,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               preexec_fn=die_with_parent)
    return Machine(what, process, port)


def on_processor(what):
    if "processor" not in what:
        return []
    ours = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(ours[what["processor"] % len(ours)])]


def free_ports(count):
    """Of 127.0.0.1; somebody else may take one before QEMU does, who then says so."""
    with contextlib.ExitStack() as probes:
        numbers = []
        while len(numbers) < count:
            tcp, udp = (probes.enter_context(socket.socket(socket.AF_INET, kind))
                        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                numbers.append(tcp.getsockname()[1])
        return numbers


def devices(what, ssh, cables):
    args = ["-device", "virtio-rng-pci",
            # Not virtio-net: a testpmd without -a would take that from the kernel.
            *nic("management", "e1000e", SLOT_MANAGEMENT, what["macs"] + "f",
                 f"user,restrict=on,hostfwd=tcp:127.0.0.1:{ssh}-:22")]
    for number, (slot, (ours, theirs)) in enumerate(zip(SLOTS, cables)):
        args += nic(f"cable{number}", what["nic"], slot, f"{what['macs']}{number}",
                    f"dgram,local.type=inet,local.host=127.0.0.1,local.port={ours},"
                    f"remote.type=inet,remote.host=127.0.0.1,remote.port={theirs}")
    return args


def nic(name, model, slot, mac, backend):
    kind, _, rest = backend.partition(",")
    number = 0x50 + int(slot)
    return ["-device", f"pcie-root-port,id=port-{name},addr={slot},chassis={number},slot={number}",
            "-netdev", f"{kind},id=net-{name},{rest}",
            "-device", f"{model},id={name},bus=port-{name},netdev=net-{name},romfile=,"
                       f"mac=02:00:00:00:00:{mac}"]
