# SPDX-License-Identifier: BSD-3-Clause
"""The two machines that DTS wants, as two guests of the lab: SUT (system under test) and TG
(traffic generator), two cables between them, and ssh to each on a port of 127.0.0.1."""

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

# What is not the same for the two. DTS binds the SUT's ports to the kernel's driver first; the
# generator sends by its kernel's. l2fwd wants four lcores beside the first, mtu 1.4 GB of mbufs.
SUT = {"name": "sut", "nic": "igb", "options": ["--cpus=5", "--mem=4G", "--hugepages=1200"]}
# One core forwards, and the generator needs the rest of the host's.
SUT_PERF = {**SUT, "options": ["--cpus=3", "--mem=2G", "--hugepages=512"]}
TG = {"name": "tg", "nic": "e1000e",
      "options": ["--cpus=2", "--mem=1536M", "--hugepages=0", "--append=intel_iommu=off"]}


class Machine:
    """One that has been started."""

    def __init__(self, what, process, port):
        self.name, self.driver = what["name"], what["nic"]
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
def pair(options, directory, environment, sut=SUT, tg=TG):
    """Both machines, booted; directory is for the cables' sockets and the kernels' logs."""
    with contextlib.ExitStack() as cleanup:
        machines = []
        for this, other in ((sut, tg), (tg, sut)):
            machine = start(this, other, options, directory, environment)
            cleanup.callback(machine.stop)
            machines.append(machine)
        for machine in machines:
            machine.wait()
        yield machines


def start(this, other, options, directory, environment):
    port = free_port()
    command = [os.path.join(CHECKOUT, "devtools/lab"), "run", "--kernel", options.kernel,
               "--root", options.root, "--timeout", "0", *this["options"],
               *(f"--qemu-arg={arg}" for arg in devices(this, other, directory, port)),
               "--", "/usr/bin/python3", "-u", "devtools/dtslab/node.py", this["name"]]
    environment = {**os.environ, **environment,
                   "LAB_LOG": os.path.join(directory, f"kernel-{this['name']}.log")}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, text=True, bufsize=1,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               preexec_fn=die_with_parent)
    return Machine(this, process, port)


def free_port():
    """Of 127.0.0.1; somebody else may take it before QEMU does, who then says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def devices(this, other, directory, ssh):
    args = ["-device", "virtio-rng-pci",
            # Not virtio-net: a testpmd without -a would take that from the kernel.
            *nic("management", "e1000e", SLOT_MANAGEMENT, "60",
                 f"user,restrict=on,hostfwd=tcp:127.0.0.1:{ssh}-:22")]
    for number, slot in enumerate(SLOTS):
        args += nic(f"cable{number}", this["nic"], slot, f"{'7' if this['name'] == 'sut' else '8'}{number}",
                    f"dgram,local.type=unix,local.path={directory}/{this['name']}{number},"
                    f"remote.type=unix,remote.path={directory}/{other['name']}{number}")
    return args


def nic(name, model, slot, mac, backend):
    kind, _, rest = backend.partition(",")
    number = 0x50 + int(slot)
    return ["-device", f"pcie-root-port,id=port-{name},addr={slot},chassis={number},slot={number}",
            "-netdev", f"{kind},id=net-{name},{rest}",
            "-device", f"{model},id={name},bus=port-{name},netdev=net-{name},romfile=,"
                       f"mac=02:00:00:00:00:{mac}"]
