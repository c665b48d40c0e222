# SPDX-License-Identifier: BSD-3-Clause
"""What works on which kernel behind which IOMMU, by the lab's core tests.

Each machine boots and runs the tests of devtools/tests that are marked core, of which each is about
one case. A cell passed, failed, or does not exist, for the reason that is told. Results are kept in
DIR: what is not run again keeps its result, with its date.

    devtools/matrix --quick            a case or two of some that devtools/test has no machine for
    devtools/matrix                    everything: kernels are built, which takes an hour, then
                                       three minutes a machine
    devtools/matrix --kernel latest --iommu amd,virtio

Writes matrix.json and, for the guides, matrix.inc.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import datetime
import fcntl
import json
import os
import queue
import re
import subprocess
import sys
from typing import NamedTuple

from . import cross

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUIDES = os.path.join(TOP, "doc/guides")
PLUGIN = "drivers/iommu/ioasid/librte_iommu_ioasid.so"
TIMEOUT = 1500
TESTS = [f"devtools/tests/test_{name}.py" for name in (
    "forward", "ways_in", "group", "isolation", "secondary", "hotplug", "map_calls", "fallback")]
CASES = ("forwarding, VA", "forwarding, PA", "group rule", "isolation", "secondary", "hotplug",
         "map calls", "fallback")


class Kernel(NamedTuple):
    """missing: why only the tests marked packaged_kernel exist there."""

    text: str
    missing: str = ""


class Iommu(NamedTuple):
    text: str
    options: tuple
    architecture: str = "amd64"


NO_IOMMUFD = "Debian's kernels have no iommufd: there stock EAL does the work, under the group rule"
KERNELS = {
    "lts": Kernel("built, all in"),
    "latest": Kernel("built, all in"),
    "lts-modules": Kernel("built, iommufd and VFIO as modules"),
    "lts-groups": Kernel("built, no device cdevs", "without device cdevs stock EAL does the work, "
                         "under the group rule"),
    "lts-cdevs": Kernel("built, no VFIO groups"),
    "debian-6.1": Kernel("as packaged", NO_IOMMUFD),
    "debian-6.12": Kernel("as packaged", NO_IOMMUFD),
    "debian-latest": Kernel("as packaged", NO_IOMMUFD),
}
# Interrupts are not remapped: by virtio-iommu never, by AMD's since Linux finds QEMU's IO-APIC not where
# AMD has it.
UNSAFE_INTERRUPTS = ("--append=iommufd.allow_unsafe_interrupts=1",
                     "--append=vfio_iommu_type1.allow_unsafe_interrupts=1")
IOMMUS = {
    "intel": Iommu("VT-d, 48 bits", ()),
    "intel-39": Iommu("VT-d, 39 bits", ("--iommu=intel-39",)),
    "intel-scalable": Iommu("VT-d, scalable mode, second stage", ("--iommu=intel-scalable",)),
    "intel-first-stage": Iommu("VT-d, scalable mode, first stage", ("--iommu=intel-first-stage",)),
    "intel-identity": Iommu("VT-d, identity as default domain (iommu=pt)", ("--append=iommu=pt",)),
    "intel-strict": Iommu("VT-d, strict", ("--append=iommu.strict=1",)),
    "intel-lazy": Iommu("VT-d, lazy", ("--append=iommu.strict=0",)),
    "virtio": Iommu("virtio-iommu", ("--iommu=virtio", *UNSAFE_INTERRUPTS)),
    "amd": Iommu("AMD", ("--iommu=amd", *UNSAFE_INTERRUPTS)),
    "smmuv3": Iommu("SMMUv3, arm64", ("--iommu=smmuv3",), "arm64"),
}
# (kernel, IOMMU): what a machine needs beside its IOMMU's options.
MORE_OPTIONS = {
    # It does not know pci=config_acs, so a root port shares the group of the NIC below it, and its own
    # interrupts (hotplug's) are faults while that is in use: with any program.
    ("debian-6.1", "smmuv3"): ("--append=pcie_ports=compat",),
}
# (kernel, IOMMU): why nothing works there, with any program.
SECOND_STAGE = "Linux 6.12's iommufd translates by a second stage only, which this IOMMU does not " \
               "have: ATTACH is EINVAL, for a client without DPDK, too"
ABSENT = {**{(kernel, "intel-first-stage"): SECOND_STAGE
             for kernel in ("lts", "lts-modules", "lts-cdevs")},
          ("debian-6.1", "virtio"): "Debian's Linux 6.1 has no driver for virtio-iommu"}
# Of what devtools/test has no machine of its own for.
QUICK = [("latest", "amd", ("forwarding, VA", "isolation")),
         ("latest", "intel-first-stage", ("forwarding, VA", "isolation")),
         ("debian-latest", "intel", ("fallback",)),
         ("lts", "smmuv3", ("forwarding, VA", "isolation")),
         ("debian-latest", "smmuv3", ("fallback",))]


class Cell(NamedTuple):
    kernel: str
    iommu: str
    case: str


# ---- running

def run_machine(kernel, iommu, cases, core, builds):
    """{Cell: result} of one boot; result: {"result", "tests", "reasons", "release", "date"}."""
    if (kernel, iommu) in ABSENT:
        return {Cell(kernel, iommu, case): {"result": "none", "tests": 0,
                                            "reasons": [ABSENT[kernel, iommu]], **stamp("")}
                for case in cases}
    command = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core),
               "devtools/lab", "run", "--kernel", kernel, "--timeout", str(TIMEOUT),
               *IOMMUS[iommu].options, *MORE_OPTIONS.get((kernel, iommu), ()), "--", "sh", "-c",
               'echo "RELEASE $(uname -r)"; exec "$@"', "sh",
               # The tests first: with their conftest pytest knows --cells, whose blanks it would
               # else take for those of a file's name.
               "/usr/bin/python3", "-m", "pytest", *TESTS, "-p", "no:cacheprovider", "-v",
               "--color=no", f"--cells={';'.join(cases)}",
               *(["-m", "packaged_kernel"] if KERNELS[kernel].missing else [])]
    build = builds[IOMMUS[iommu].architecture]
    env = {**os.environ, "DPDK_IOASID_PLUGIN": os.path.join(TOP, build, PLUGIN)}
    lines = []
    with subprocess.Popen(command, cwd=TOP, env=env, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            lines.append(line)
            if re.search(r"::\w+.* (PASSED|FAILED|ERROR|SKIPPED)", line):
                print(f"    {kernel}, {iommu}: {line}", end="", flush=True)
    return read(kernel, iommu, cases, process.returncode, "".join(lines))


def read(kernel, iommu, cases, status, text):
    cells = [json.loads(row) for row in re.findall(r"^CELL (\{.*\})$", text, re.M)]
    release = re.search(r"^RELEASE (\S+)", text, re.M)
    common = stamp(release[1] if release else "")
    results = {case: {**judge(kernel, [cell for cell in cells if cell["case"] == case]), **common}
               for case in cases}
    # Pytest says 1 where tests failed, which the cells tell, and 5 where there were none.
    if status not in (0, 1, 5):
        why = f"the machine ended with {status}: {text.strip().splitlines()[-1:]}"
        results = {case: {"result": "failed", "tests": 0, "reasons": [why], **common}
                   for case in cases}
    if any(result["result"] == "failed" for result in results.values()):
        print(text, flush=True)
    return {Cell(kernel, iommu, case): result for case, result in results.items()}


def stamp(release):
    return {"release": release, "date": datetime.date.today().isoformat()}


def judge(kernel, cells):
    """The result of a case from those of its tests."""
    failed = [cell["test"] for cell in cells if cell["result"] == "failed"]
    skipped = sorted({cell["reason"] for cell in cells if cell["result"] == "skipped"})
    passed = sum(cell["result"] == "passed" for cell in cells)
    if failed:
        return {"result": "failed", "tests": passed, "reasons": failed}
    if passed:
        return {"result": "passed", "tests": passed, "reasons": skipped}
    missing = [KERNELS[kernel].missing] if KERNELS[kernel].missing else []
    # A case without a reason not to be there was forgotten.
    result = "none" if skipped or missing else "failed"
    return {"result": result, "tests": 0, "reasons": skipped or missing or ["no test ran"]}


def run_all(machines, builds):
    """As many machines at a time as there are processors, each on its own."""
    cores = queue.Queue()
    for core in sorted(os.sched_getaffinity(0)):
        cores.put(core)

    def run_one(machine):
        core = cores.get()
        try:
            return run_machine(*machine, core, builds)
        finally:
            cores.put(core)

    with concurrent.futures.ThreadPoolExecutor(cores.qsize()) as pool:
        for task in concurrent.futures.as_completed([pool.submit(run_one, machine)
                                                     for machine in machines]):
            yield task.result()


# ---- telling

def sign(result):
    return f"yes ({result['tests']})" if result["result"] == "passed" else \
        "**no**" if result["result"] == "failed" else "none"


def table(results):
    """A row a machine: [kernel, IOMMU, cells…], and the notes that the cells refer to."""
    notes, rows = [], []
    for kernel, iommu in dict.fromkeys((cell.kernel, cell.iommu) for cell in ordered(results)):
        row = []
        for case in CASES:
            result = results.get(Cell(kernel, iommu, case))
            text = sign(result) if result else ""
            for reason in result["reasons"] if result else ():
                if reason not in notes:
                    notes.append(reason)
                text += f" [{notes.index(reason) + 1}]"
            row.append(text)
        any_result = next(result for cell, result in results.items()
                          if (cell.kernel, cell.iommu) == (kernel, iommu))
        rows.append([f"{any_result['release'] or 'not run'} ({kernel}: {KERNELS[kernel].text})",
                     IOMMUS[iommu].text, *row, any_result["date"]])
    return rows, notes


def ordered(results):
    return sorted(results, key=lambda cell: (list(KERNELS).index(cell.kernel),
                                             list(IOMMUS).index(cell.iommu)))


def versions():
    def first_line(*command):
        return subprocess.run(command, text=True, capture_output=True,
                              check=False).stdout.split("\n")[0]
    return f"DPDK {first_line('pkg-config', '--modversion', 'libdpdk')}, " \
           f"{first_line('qemu-system-x86_64', '--version')} (for AMD's and Arm's a later one)"


def restructured(results):
    rows, notes = table(results)
    lines = [".. Written by devtools/matrix, not by hand.", "", f"With {versions()}:", "",
             ".. list-table::", "   :header-rows: 1", ""]
    for row in [["Linux", "IOMMU", *CASES, "run"], *rows]:
        lines += [f"   {'*' if not at else ' '} - {text}".rstrip() for at, text in enumerate(row)]
    lines += ["", *(line for number, note in enumerate(notes, 1)
                    for line in (f"[{number}] {note}.", ""))]
    return "\n".join(lines).rstrip() + "\n"


def tell(results):
    rows, notes = table(results)
    for row in rows:
        print(f"{row[0]}, {row[1]}:")
        for case, text in zip(CASES, row[2:]):
            if text:
                print(f"    {case:16} {text}")
    for number, note in enumerate(notes, 1):
        print(f"[{number}] {note}")
    count = collections.Counter(result["result"] for result in results.values())
    print(f"{count['passed']} passed, {count['failed']} failed, {count['none']} do not exist",
          flush=True)


def load(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return {Cell(*row.pop("cell")): row for row in json.load(file)}


def save(path, results):
    """A cell a line."""
    rows = ",\n".join(json.dumps({"cell": cell, **results[cell]}) for cell in ordered(results))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"[\n{rows}\n]\n")


@contextlib.contextmanager
def alone(directory):
    """Of those who keep results there."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def keep(out, new):
    """With what is there, and what others have found meanwhile."""
    path = os.path.join(out, "matrix.json")
    os.makedirs(out, exist_ok=True)
    with alone(out):
        results = {**load(path), **new}
        save(path, results)
        with open(os.path.join(out, "matrix.inc"), "w", encoding="utf-8") as file:
            file.write(restructured(results))


# ---- the command

def names(known, separator=","):
    def parse(text):
        chosen = text.split(separator)
        if not set(chosen) <= set(known):
            raise argparse.ArgumentTypeError(f"there are: {' '.join(known)}")
        return chosen
    return parse


def main():
    parser = argparse.ArgumentParser(prog="devtools/matrix", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quick", action="store_true")
    add("--kernel", type=names(KERNELS), default=list(KERNELS), metavar="NAME,…",
        help=f"of {' '.join(KERNELS)}")
    add("--iommu", type=names(IOMMUS), default=list(IOMMUS), metavar="NAME,…",
        help=f"of {' '.join(IOMMUS)}")
    add("--case", type=names(CASES, ";"), default=list(CASES), metavar="NAME;…",
        help=f"of {'; '.join(CASES)}")
    add("--out", metavar="DIR", help="default: doc/guides; with --quick: build")
    add("--build", default="build/test-gcc", metavar="DIR",
        help="with the plugin for amd64; default: build/test-gcc")
    options = parser.parse_args()
    machines = [(kernel, iommu, cases) for kernel, iommu, cases in
                (QUICK if options.quick else
                 [(kernel, iommu, options.case) for kernel in KERNELS for iommu in IOMMUS])
                if kernel in options.kernel and iommu in options.iommu]
    builds = {"amd64": options.build, "arm64": cross.DIRECTORY}
    return run(machines, builds,
               options.out or (os.path.join(TOP, "build") if options.quick else GUIDES))


def prepare(machines):
    """What all of them boot, and the plugin where it is cross-built."""
    there = [(kernel, IOMMUS[iommu].architecture) for kernel, iommu, _ in machines
             if (kernel, iommu) not in ABSENT]
    for kernel, architecture in dict.fromkeys(there):
        print(f"kernel {kernel}, {architecture}", flush=True)
        subprocess.run(["devtools/lab", "kernel", kernel, "--arch", architecture], cwd=TOP,
                       check=True, stdout=subprocess.DEVNULL)
    if "arm64" in (architecture for _, architecture in there) and cross.build() != 0:
        sys.exit("devtools/matrix: devtools/cross failed")


def run(machines, builds, out):
    new = {}
    prepare(machines)
    for found in run_all(machines, builds):
        new.update(found)
        keep(out, found)
    tell(new)
    return 1 if any(result["result"] == "failed" for result in new.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
