# SPDX-License-Identifier: BSD-3-Clause
"""The measurements, in the lab's machine. Each is a row: {"who": "stock", …}."""

import glob
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests"))

import conftest  # noqa: E402
from testpmd import Testpmd, allow  # noqa: E402

RESULT = "perf-result "
WHO = ("stock", "plugin")
LAYOUTS = {"file per page": [], "one file": ["--single-file-segments"]}
SIZES = (512, 1024, 2048, 4096, 8192, 12288)
TARGET_SIZE = 4096  # measured as often as asked, the others three times
FRAMES = (64, 128, 256, 512, 1024, 1518)
FORWARD_SECONDS = 2
DEVICES = (1, 2, 4, 8)


def run(part, build, repeat):
    os.environ["DPDK_IOASID_PLUGIN"] = plugin = os.path.join(
        build, "drivers/iommu/ioasid/librte_iommu_ioasid.so")
    # Read when it was imported.
    sys.modules["plugin"].PLUGIN = plugin
    drivers = conftest.Drivers()
    drivers.offer_few()
    rows = []
    for row in PARTS[part](os.path.join(build, "app/test/perf_client"), repeat):
        print(json.dumps(row), flush=True)
        rows.append(row)
    drivers.offer_all()
    print(RESULT + json.dumps({"kernel": platform.release(), "rows": rows}), flush=True)


def client(program, who, eal, args=()):
    """Run perf_client: [(phase, {ms, maps, map_ms, unmaps, unmap_ms})], with its exit."""
    env = dict(os.environ)
    if who == "plugin":
        env["LD_PRELOAD"] = env["DPDK_IOASID_PLUGIN"]
    result = subprocess.run([program, "-l", "0", "-a", os.environ["LAB_NIC0"], "--iova-mode=va",
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
    [end] = re.findall(r"^perf end ([\d.]+)$", result.stdout, re.M)
    phases.append(("exit", {"ms": ended - float(end)}))
    return phases


def setup(program, repeat):
    for size, (layout, args) in itertools.product(SIZES, LAYOUTS.items()):
        for _ in range(repeat if size == TARGET_SIZE else min(repeat, 3)):
            for who in WHO:
                phases = dict(client(program, who, ["-m", str(size), *args]))
                yield {"who": who, "layout": layout, "mib": size,
                       "maps": phases["init"]["maps"], "map_ms": phases["init"]["map_ms"],
                       "init_ms": phases["init"]["ms"],
                       "exit_ms": phases["cleanup"]["ms"] + phases["exit"]["ms"]}


def churn(program, repeat):
    """Of each process the first is left out: page faults, growing tables."""
    for layout, args in LAYOUTS.items():
        for _ in range(repeat):
            for who in WHO:
                phases = client(program, who, args, ["4", "64"])
                allocs = [p for name, p in phases if name == "alloc"][1:]
                frees = [p for name, p in phases if name == "free"][1:]
                for alloc, free in zip(allocs, frees):
                    yield {"who": who, "layout": layout, "alloc_ms": alloc["ms"],
                           "map_ms": alloc["map_ms"], "maps": alloc["maps"],
                           "free_ms": free["ms"], "unmap_ms": free["unmap_ms"],
                           "unmaps": free["unmaps"]}


def testpmd(who, bdfs, *eal, app=()):
    return Testpmd(*allow(*bdfs), "--iova-mode=va", *eal, app=app, preload=who == "plugin")


def start(_, repeat):
    import pci
    nics = sorted(os.path.basename(path) for path in glob.glob("/sys/bus/pci/devices/*")
                  if pci.read(os.path.basename(path), "device") == "0x10c9")
    for bdf in nics:
        pci.bind(bdf, "vfio-pci")
    for count in DEVICES:
        for _ in range(repeat):
            for who in WHO:
                begin = time.monotonic()
                with testpmd(who, nics[:count], "-m", "512",
                             app=["--disable-device-start"]) as pmd:
                    pmd.started()
                    started = time.monotonic()
                    pmd.quit()
                yield {"who": who, "devices": count, "start_ms": (started - begin) * 1000,
                       "quit_ms": (time.monotonic() - started) * 1000}


def forward(_, repeat):
    """One core forwards between the two NICs that are cabled together: packets go round."""
    nics = os.environ["LAB_NIC0"], os.environ["LAB_NIC1"]
    for _ in range(repeat):
        for who in WHO:
            begin = time.monotonic()
            with testpmd(who, nics, "-m", "512") as pmd:
                pmd.started()
                pmd.command("start tx_first")
                pmd.forwarded(1)
                first = time.monotonic()
                pmd.command("stop")
                for frame in FRAMES:
                    yield {"who": who, "frame": frame, "mpps": mpps(pmd, frame),
                           "first_packet_ms": (first - begin) * 1000}
                pmd.quit()


def mpps(pmd, frame):
    pmd.command(f"set txpkts {frame - 4}")  # the checksum is the NIC's
    pmd.command("start tx_first 4")
    time.sleep(0.5)
    before, begin = received(pmd), time.monotonic()
    time.sleep(FORWARD_SECONDS)
    after, end = received(pmd), time.monotonic()
    pmd.command("stop")
    return (after - before) / (end - begin) / 1e6


def received(pmd):
    return sum(pmd.stats(port)["RX-packets"] for port in (0, 1))


PARTS = {"setup": setup, "churn": churn, "start": start, "forward": forward}
