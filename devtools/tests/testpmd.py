# SPDX-License-Identifier: BSD-3-Clause
"""An unmodified dpdk-testpmd, driven through its prompt."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import plugin

PROMPT = "testpmd> "
# What another thread prints meanwhile, in two writes. A prompt is written letter by letter: either
# write can lie between any two of them.
EVENTS = r"(?:\n|Port \d+: [^\n]* event\n)*"
# Generous: the processor is emulated. Nothing waits this long unless it is broken.
START_TIMEOUT, COMMAND_TIMEOUT, FORWARD_TIMEOUT = 180, 120, 300

# EAL's arguments where nothing depends on them.
COMMON = ("--iova-mode=va", "-m", "128")
# What is tested is over when the ports are there; starting them waits for links.
NOT_STARTED = ["--disable-device-start", "--port-topology=chained"]
# How the plugin begins its warning.
AT_RISK = "these PCI BDFs are also at risk: ["


def allow(*bdfs):
    return [arg for bdf in bdfs for arg in ("-a", bdf)]


class Testpmd:
    """A running testpmd; `output` is all it has printed, both streams in order."""

    __test__ = False  # not a test class, whatever its name

    def __init__(self, *eal, app=(), preload=True, wrapper=(), env=None, cores="0-1",
                 pass_fds=()):
        args = [*wrapper, "dpdk-testpmd", "--lcores", cores, *eal,
                "--", "-i", "--total-num-mbufs=16384", *app]
        self.output = ""
        # A terminal, so that libc passes on each line before the next prompt.
        self.terminal, slave = pty.openpty()
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=slave, stderr=slave,
                                        env=plugin.environment(preload, env), pass_fds=pass_fds)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error:
            print(self.output)  # pytest shows it with the failure
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        os.close(self.terminal)

    @property
    def pid(self):
        return self.process.pid

    def started(self):
        """Wait for the first prompt."""
        self.wait_for(PROMPT, START_TIMEOUT)
        return self

    def failed(self):
        """Wait for an end that is not success; the output."""
        status = self.wait_end()
        assert status != 0, f"testpmd was to fail, but ended with 0:\n{self.output}"
        return self.output

    def command(self, line, timeout=COMMAND_TIMEOUT):
        """Type a line, wait for the next prompt, return what was printed in between."""
        at = len(self.output)
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        self.wait_for(PROMPT, timeout, at)
        return self.output[at:]

    def wait_for(self, text, timeout=COMMAND_TIMEOUT, at=0):
        deadline = time.monotonic() + timeout
        pattern = re.compile(EVENTS.join(map(re.escape, text)))
        while not pattern.search(self.output, at):
            if not self.read(deadline):
                status = self.process.poll()
                raise AssertionError(
                    f"no {text!r} from testpmd (status {status}); it printed:\n{self.output}")

    def read(self, deadline):
        """Read what is there; false at the end of the output or at the deadline."""
        ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self.terminal, 65536) if ready else b""
        except OSError:  # how a terminal says that nobody writes to it any more
            data = b""
        self.output += data.decode(errors="replace").replace("\r", "")
        return bool(data)

    def wait_end(self, timeout=START_TIMEOUT):
        deadline = time.monotonic() + timeout
        while self.read(deadline):
            pass
        try:
            return self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"testpmd does not end:\n{self.output}") from error

    def quit(self):
        """Leave as a user does; the exit status must be 0."""
        self.process.stdin.write(b"quit\n")
        self.process.stdin.flush()
        status = self.wait_end()
        assert status == 0, f"testpmd ended with {status}:\n{self.output}"
        return self.output

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.wait_end()

    # ---- packets

    def forward(self, packets=100_000, ports=(0, 1)):
        """Forward until each port has received that many; the statistics once all is still."""
        self.command("start tx_first")
        self.forwarded(packets, ports)
        self.command("stop")
        return {port: self.stats(port) for port in ports}

    def forwarded(self, packets, ports=(0, 1), timeout=FORWARD_TIMEOUT):
        """Wait until each port has received `packets` more than now; its statistics."""
        goal = {port: self.stats(port)["RX-packets"] + packets for port in ports}
        deadline = time.monotonic() + timeout
        while True:
            stats = {port: self.stats(port) for port in ports}
            if all(stats[port]["RX-packets"] >= goal[port] for port in ports):
                return stats
            assert time.monotonic() < deadline, f"of {goal} packets only: {stats}"
            time.sleep(0.5)

    def stats(self, port):
        text = self.command(f"show port stats {port}")
        stats = dict(re.findall(r"([RT]X-\w+): +(\d+)", text))
        assert "RX-packets" in stats, f"no statistics of port {port}: {text}"
        return {name: int(value) for name, value in stats.items()}

    def ports(self):
        """The PCI addresses of testpmd's ports, in port order."""
        text = self.command("show port summary all")
        assert "Number of available ports" in text, text
        return re.findall(r"^\d+ +(?:[0-9A-F]{2}:){5}[0-9A-F]{2} +(\S+)", text, re.MULTILINE)
