# SPDX-License-Identifier: BSD-3-Clause
"""The guard, and programs that know nothing of it."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

import plugin

PINS = "/sys/fs/bpf/dpdk-ioasid"
ATTACH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attach.py")
HAS_CDEVS = os.path.exists("/dev/iommu")


class Guard:
    """The command's guard, with a configuration of its own."""

    def __init__(self, config):
        self.config = config
        self.env = plugin.environment(preload=False)

    def run(self, *words, status=0, wrapper=()):
        """What it printed, both streams."""
        result = subprocess.run([*wrapper, plugin.COMMAND, "guard", *words], text=True,
                                env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, check=False)
        assert result.returncode == status, result.stdout
        return result.stdout

    def start(self, *options, status=0):
        return self.run("start", f"--config={self.config}", *options, status=status)

    def allow(self, *words, status=0):
        return self.run("allow", f"--config={self.config}", *words, status=status)

    def deny(self, *words, status=0):
        return self.run("deny", f"--config={self.config}", *words, status=status)

    def stop(self):
        return self.run("stop")

    def status(self):
        result = subprocess.run([plugin.COMMAND, "guard", "status", "--json"], env=self.env,
                                text=True, stdout=subprocess.PIPE, check=False)
        return json.loads(result.stdout)

    def records(self):
        """Since the guard was first started."""
        return [json.loads(line)
                for line in self.run("log", "--json", "--no-follow").splitlines()]


@contextlib.contextmanager
def attaching(way, bdf, wrapper=()):
    """A program that attaches a device, and what it says; it holds the device meanwhile."""
    with subprocess.Popen([*wrapper, sys.executable, ATTACH, way, bdf], text=True,
                          env=plugin.environment(preload=False), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        yield process, process.stdout.readline().strip()


def attach(way, bdf, wrapper=()):
    with attaching(way, bdf, wrapper) as (_, said):
        return said


# The ways by which a device comes to a page table, and the call that is refused.
WAYS = [pytest.param("group", "SET_CONTAINER EPERM", id="group")]
if HAS_CDEVS:
    WAYS.append(pytest.param("cdev", "ATTACH EPERM", id="cdev"))
