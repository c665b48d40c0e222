# SPDX-License-Identifier: BSD-3-Clause
"""The measurements, in the lab's machine. Each is a row: {"who": "stock", …}."""

import contextlib
import functools
import itertools
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests"))

import pci  # noqa: E402
from drivers import Drivers  # noqa: E402
from testpmd import Testpmd, allow  # noqa: E402

ROW = "perf-row "
WHO = ("stock", "plugin")
LAYOUTS = {"file per page": [], "one file": ["--single-file-segments"]}
SETUP_SIZE = 4096
CURVE_SIZES = (512, 1024, 2048, 8192, 12288)  # MiB
WAYS_SIZES = (4096, 512, 1024, 2048)
FRAMES = (64, 128, 256, 512, 1024, 1518)
FORWARD_SECONDS = 0.5
FORWARD_TURNS = 4
# Seconds are long when instructions are counted, and exact.
FORWARD_INSTRUCTIONS = {"seconds": 0.1, "turns": 1}
DEVICES = (1, 2, 4, 8, 16)
VFS = 4  # of each NIC that the kernel keeps for them
AREAS_SIZE = 4096  # MiB
# EAL keeps each page's file open: 12 GiB are 6144.
OPEN_FILES = 65536


def run(part, build, repeat, instructions):
    """Print what is measured as it comes: should time run out, it is not lost."""
    if instructions:
        PARTS["forward"] = functools.partial(forward, **FORWARD_INSTRUCTIONS)
    os.environ["DPDK_IOASID_PLUGIN"] = plugin = os.path.join(
        build, "drivers/iommu/ioasid/librte_iommu_ioasid.so")
    # Read when it was imported.
    sys.modules["plugin"].PLUGIN = plugin
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    drivers = Drivers()
    drivers.offer_few()
    for row in PARTS[part](build, repeat):
        print(ROW + json.dumps({**row, "kernel": platform.release()}), flush=True)
    drivers.offer_all()


def in_turn(repeat, *cases):
    """Rounds of all cases: what changes with time changes for all. A B, B A, A B …"""
    for number in range(repeat):
        for case in itertools.product(*cases):
            for who in WHO if number % 2 == 0 else reversed(WHO):
                yield (*case, who)


def client(build, who, eal, args=(), bdfs=()):
    """Run perf_client: [(phase, {ms, maps, map_ms, unmaps, unmap_ms})], with its exit."""
    program = os.path.join(build, "app/test/perf_client")
    env = dict(os.environ)
    if who == "plugin":
        env["LD_PRELOAD"] = env["DPDK_IOASID_PLUGIN"]
    bdfs = bdfs or [os.environ["LAB_NIC0"]]
    result = subprocess.run([program, "-l", "0", *allow(*bdfs), "--iova-mode=va",
                             "--no-telemetry", *eal, "--", *args], env=env, text=True,
                            capture_output=True, check=False)
    ended = time.monotonic() * 1000
    if result.returncode != 0:
        raise SystemExit(f"perf_client ended with {result.returncode}:\n"
                         f"{result.stdout}{result.stderr}")
    phases = []
    for name, *numbers in re.findall(r"^perf (\w+) ([\d.]+) (\d+) ([\d.]+) (\d+) ([\d.]+)$",
                                     result.stdout, re.M):
        ms, maps, map_ms, unmaps, unmap_ms = map(float, numbers)
        phases.append((name, {"ms": ms, "maps": int(maps), "map_ms": map_ms,
                              "unmaps": int(unmaps), "unmap_ms": unmap_ms}))
    [times] = re.findall(r"^perf devices ([\d.]+) ([\d.]+) ([\d.]+)$", result.stdout, re.M)
    phases.append(("devices", dict(zip(("open_ms", "reset_ms", "close_ms"), map(float, times)))))
    [end] = re.findall(r"^perf end ([\d.]+)$", result.stdout, re.M)
    phases.append(("exit", {"ms": ended - float(end)}))
    return phases


def ways(build, repeat):
    """What dpdk-ioasid bench has to say; it repeats by itself."""
    program = os.path.join(build, "app/dpdk-ioasid/dpdk-ioasid")
    for mib in WAYS_SIZES:
        result = subprocess.run([program, "bench", "--json", "--size", f"{mib}M", "--repeat",
                                 str(repeat), os.environ["LAB_NIC0"]],
                                stdout=subprocess.PIPE, text=True, check=True)
        [size] = json.loads(result.stdout)["sizes"]
        for way in size["ways"]:
            yield {"mib": mib, **way}


def setup(build, repeat, sizes=(SETUP_SIZE,)):
    for size, (layout, args), who in in_turn(repeat, sizes, LAYOUTS.items()):
        phases = dict(client(build, who, ["-m", str(size), *args]))
        yield {"who": who, "layout": layout, "mib": size, "maps": phases["init"]["maps"],
               "map_ms": phases["init"]["map_ms"], "init_ms": phases["init"]["ms"],
               "exit_ms": phases["cleanup"]["ms"] + phases["exit"]["ms"]}


def curve(build, repeat):
    yield from setup(build, repeat, CURVE_SIZES)


def churn(build, repeat):
    """Of each process the first is left out: page faults, growing tables."""
    for (layout, args), who in in_turn(repeat, LAYOUTS.items()):
        phases = client(build, who, args, ["4", "64"])
        allocs = [p for name, p in phases if name == "alloc"][1:]
        frees = [p for name, p in phases if name == "free"][1:]
        for alloc, free in zip(allocs, frees):
            yield {"who": who, "layout": layout, "alloc_ms": alloc["ms"],
                   "map_ms": alloc["map_ms"], "maps": alloc["maps"], "free_ms": free["ms"],
                   "unmap_ms": free["unmap_ms"], "unmaps": free["unmaps"]}


def testpmd(who, bdfs, *eal, app=()):
    return Testpmd(*allow(*bdfs), "--iova-mode=va", *eal, app=app, preload=who == "plugin")


def igbs():
    """All of this kind, for VFIO."""
    nics = pci.find("8086", "10c9")
    for bdf in nics:
        pci.bind(bdf, "vfio-pci")
    return nics


def sixteen():
    """Eight NICs, and virtual functions of the others, which the kernel keeps."""
    nics = pci.find("8086", "10c9")
    for bdf in nics[8:]:
        pci.bind(bdf, "igb")
        pci.write(pci.path(bdf, "sriov_numvfs"), str(VFS))
    devices = nics[:8] + pci.find("8086", "10ca")
    for bdf in devices:
        pci.bind(bdf, "vfio-pci")
    return devices


def devices(build, repeat):
    """How long they are opened, reset and closed, with EAL's start and end around that."""
    bdfs = sixteen()
    for count, who in in_turn(repeat, DEVICES):
        phases = dict(client(build, who, ["-m", "128"], bdfs=bdfs[:count]))
        # What is mapped when the process ends is closed then.
        close_ms = phases["devices"]["close_ms"] + phases["exit"]["ms"]
        yield {"who": who, "devices": count, **phases["devices"], "close_ms": close_ms,
               "init_ms": phases["init"]["ms"],
               "exit_ms": phases["cleanup"]["ms"] + phases["exit"]["ms"]}


def areas(build, repeat):
    """Maps of one area's size each, and unmaps, by one thread or two, freely or on one processor."""
    result = subprocess.run([os.path.join(build, "app/test/area_client"), os.environ["LAB_NIC0"],
                             str(AREAS_SIZE), str(repeat)], stdout=subprocess.PIPE, text=True,
                            check=True)
    for way, area, threads, bound, map_ms, unmap_ms in re.findall(
            r"^perf (\w+) (\d+) (\d) (\d) ([\d.]+) ([\d.]+)$", result.stdout, re.M):
        yield {"way": way, "area": int(area),
               "who": f"{threads} threads" + " on one processor" * int(bound),
               "map_ms": float(map_ms), "unmap_ms": float(unmap_ms)}


def start(_, repeat):
    nics = sixteen()
    for count, who in in_turn(repeat, DEVICES):
        begin = time.monotonic()
        with testpmd(who, nics[:count], "-m", "512", app=["--disable-device-start"]) as pmd:
            pmd.started()
            started = time.monotonic()
            pmd.quit()
        yield {"who": who, "devices": count, "start_ms": (started - begin) * 1000,
               "quit_ms": (time.monotonic() - started) * 1000}


def first(_, repeat):
    bdfs = (os.environ["LAB_NIC0"], os.environ["LAB_NIC1"])
    for who, in in_turn(repeat):
        begin = time.monotonic()
        with testpmd(who, bdfs, "-m", "512") as pmd:
            pmd.started()
            pmd.command("start tx_first")
            pmd.forwarded(1)
            ms = (time.monotonic() - begin) * 1000
            pmd.command("stop")
            pmd.quit()
        yield {"who": who, "devices": len(bdfs), "first_packet_ms": ms}


def forward(_, repeat, seconds=FORWARD_SECONDS, turns=FORWARD_TURNS):
    """One core forwards between two NICs that are cabled together: packets go round.

    Each has a pair of NICs, the other one in the next round; while one forwards the other waits.
    """
    pairs = nic_pairs()
    for number in range(repeat):
        with contextlib.ExitStack() as running:
            pmds = {who: running.enter_context(
                        testpmd(who, bdfs, "-m", "512", f"--file-prefix={who}")).started()
                    for who, bdfs in zip(WHO, pairs if number % 2 == 0 else reversed(pairs))}
            for frame, who in in_turn(turns, FRAMES):
                yield {"who": who, "frame": frame, "mpps": mpps(pmds[who], frame, seconds)}
            for pmd in pmds.values():
                pmd.quit()


def nic_pairs():
    """The lab's own, and the one that devtools/perf adds."""
    own = [os.environ["LAB_NIC0"], os.environ["LAB_NIC1"]]
    return own, [bdf for bdf in igbs() if bdf not in own]


def mpps(pmd, frame, seconds):
    pmd.command(f"set txpkts {frame - 4}")  # the checksum is the NIC's
    pmd.command("start tx_first 4")
    time.sleep(seconds / 2)
    before, begin = received(pmd), time.monotonic()
    time.sleep(seconds)
    after, end = received(pmd), time.monotonic()
    pmd.command("stop")
    return (after - before) / (end - begin) / 1e6


def received(pmd):
    return sum(pmd.stats(port)["RX-packets"] for port in (0, 1))


@contextlib.contextmanager
def guarded(build, on):
    """With a guard in the kernel, or without."""
    command = [os.path.join(build, "app/dpdk-ioasid/dpdk-ioasid"), "guard"]
    if on:
        subprocess.run([*command, "start"], check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run([*command, "stop"], check=True, stdout=subprocess.DEVNULL)


def guard(build, repeat):
    """What it costs: calls that it lets through, and a start with a map for each of 2,048 pages."""
    for number in range(repeat):
        for on in (False, True) if number % 2 == 0 else (True, False):
            with guarded(build, on):
                result = subprocess.run([os.path.join(build, "app/test/ioctl_client")], text=True,
                                        stdout=subprocess.PIPE, check=True)
                for call, ns in re.findall(r"^perf (\w+) ([\d.]+)$", result.stdout, re.M):
                    yield {"guard": on, "what": f"{call}, ns", "value": float(ns)}
                phases = dict(client(build, "plugin", ["-m", str(SETUP_SIZE)]))
                for name in ("map_ms", "ms"):
                    yield {"guard": on, "what": f"start with {SETUP_SIZE} MiB, {name}",
                           "value": phases["init"][name]}


PARTS = {"guard": guard, "ways": ways, "areas": areas, "setup": setup, "curve": curve,
         "churn": churn, "devices": devices, "start": start, "first": first, "forward": forward}
