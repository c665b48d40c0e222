# SPDX-License-Identifier: BSD-3-Clause
"""Each way in brings the whole plugin, however librte_eal was linked: nothing of it may rest on
calls that EAL makes of itself.

What is found is told in lines of the table in doc/guides/ways.rst (devtools/checks/ways).
"""

import os
import re
import select
import subprocess
import time

import pytest

import pci
import plugin
from test_hotplug import all_come_back, remove, rescan  # noqa: F401 (a fixture)
from test_telemetry import ask
from testpmd import AT_RISK

pytestmark = [pytest.mark.usefixtures("no_faults", "no_leftovers", "installed"),
              pytest.mark.one_kernel, pytest.mark.every_dpdk]

WINDOW = {"DPDK_IOASID_OPTS": "--ioasid-iova-window=4G:128M"}


def program(name):
    return os.path.join(plugin.BUILD, "app/test/ways_in_" + name)


# The words before EAL's arguments, and what is in the environment.
WAYS = {
    "command": ([plugin.COMMAND, "run", "--", program("stock")],
                {"DPDK_IOASID_PLUGIN": plugin.PLUGIN}),
    "preload": ([program("stock")], {"LD_PRELOAD": plugin.PLUGIN}),
    "-d": ([program("stock"), "-d", plugin.INSTALLED], {}),
    "link": ([program("linked")], {}),
    "link statically": ([program("static")], {}),
}


class Process:
    def __init__(self, way, *words):
        before, env = WAYS[way]
        env = {**plugin.library_path(os.path.dirname(plugin.PLUGIN)), **WINDOW, **env}
        args = [*before, "-l", "0-1", "--iova-mode=va", *words]
        self.output = ""
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT,
                                        env=plugin.environment(preload=False, more=env))

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error:
            print(self.output)
        self.process.kill()
        self.process.wait()

    def wait_for(self, text, patience=120):
        """What it has printed by the time that the text is in it; false: it does not come."""
        deadline = time.monotonic() + patience
        while text not in self.output and time.monotonic() < deadline:
            ready, _, _ = select.select([self.process.stdout], [], [], 1)
            data = os.read(self.process.stdout.fileno(), 65536) if ready else None
            if data == b"":
                break
            self.output += (data or b"").decode(errors="replace")
        return text in self.output

    def end(self):
        """What it printed in all."""
        rest, _ = self.process.communicate(timeout=120)
        self.output += rest.decode(errors="replace")
        return self.output

    def ports(self):
        return re.findall(r"^port \d+: (\S+)$", self.output, re.M)


def secondary(way):
    with Process(way, "--proc-type=secondary") as process:
        process.end()
        print(process.output)
        return process.ports() if process.process.returncode == 0 else []


def stock_secondary():
    """Its process id; it gets no device."""
    with subprocess.Popen([program("stock"), "-l", "0", "--proc-type=secondary"],
                          env=plugin.environment(preload=False), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        output, _ = process.communicate(timeout=60)
        print(output)
        assert not re.search(r"^port \d+: ", output, re.M)
        return process.pid


def plugs_in_again(bdf, process):
    """It is gone and comes back, to nobody: the plugin hears of it by DPDK's device events."""
    remove(bdf)
    rescan()
    pci.come_to_group(bdf)
    return process.wait_for(f"{AT_RISK}{bdf}]")


def features(way, process, lab):
    """What there is, of what is asked for without the plugin's doing anything special."""
    yield "devices", f"IOASID: {lab.NIC0}: IOMMU group" in process.output
    # Of its group all are bound, and nobody is named.
    yield "all that is bound is named", lab.GROUP_NIC in process.ports()
    yield "memory is refused", (" refused, devices cannot reach it" in process.output and
                                "\nrefused after " in process.output)
    yield "telemetry", ask("/ioasid/info")["mode"] == "native"
    yield "secondaries", secondary(way) == process.ports()
    stock = stock_secondary()
    yield "device events", plugs_in_again(lab.GROUP_HD, process)
    process.wait_for(f"a secondary process ({stock}) runs without", patience=10)
    process.end()
    told = re.findall(r"a secondary process \((\d+)\) runs without", process.output)
    assert told in ([], [str(stock)])
    yield "stock secondaries are told of", told != []


# EAL registers its own answer after us, and nothing of ours is called any more.
MISSING = {("-d", "direct"): {"stock secondaries are told of"}}


def linking(output):
    """Whether EAL's calls of itself come to the plugin, by its own word."""
    if "calls of itself this leads to the plugin: nothing" in output:
        return "direct"
    return "dynamic"


@pytest.mark.parametrize("way", WAYS)
def test_whole(lab, way, all_come_back, capsys):
    for bdf in (lab.GROUP_NIC, lab.GROUP_HD):
        pci.bind(bdf, "vfio-pci")
    with Process(way, "--log-level=iommu.ioasid:debug", "--", "refuse", "wait") as process:
        assert process.wait_for("waiting"), process.output
        found = dict(features(way, process, lab))
        print(process.output)
        assert process.process.returncode == 0
        how = linking(process.output)
    with capsys.disabled():
        for feature, there in found.items():
            print(f"\nWAY {way} | {how} | {feature} | {'yes' if there else 'no'}", end="")
        print()
    assert {feature for feature, there in found.items() if not there} == \
        MISSING.get((way, how), set())
