# SPDX-License-Identifier: BSD-3-Clause
"""Set-ups of many IOMMU groups of one device: on the fake kernel of the unit tests, no lab."""

import json
import os
import statistics
import subprocess

COUNTS = {
    "calls_last": "calls of the kernel and looks into sysfs by the last set-up",
    "calls_event": "by an event of one device",
}
TIMES = {"set_up_ms": "all set-ups, ms", "release_ms": "all releases, ms",
         "list_ms": "telemetry's list of all groups, ms"}


def measure(build, repeat):
    program = os.path.join(build, "app/test/bench_groups")
    return [json.loads(subprocess.run([program], capture_output=True, text=True,
                                      check=True).stdout) for _ in range(repeat)]


def text(runs):
    sizes = [row["groups"] for row in runs[0]]
    lines = ["IOMMU groups".ljust(62) + "".join(f"{size:>8}" for size in sizes)]
    for name, what in COUNTS.items():
        lines.append(what.ljust(62) + "".join(f"{row[name]:>8}" for row in runs[0]))
    for name, what in TIMES.items():
        medians = [statistics.median(run[i][name] for run in runs) for i in range(len(sizes))]
        lines.append(what.ljust(62) + "".join(f"{value:>8.2f}" for value in medians))
    return lines


def run(build, repeat, out):
    """Writes groups.txt: medians; the calls are the same in every run."""
    lines = text(measure(build, repeat))
    print("\n".join(lines))
    with open(os.path.join(out, "groups.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
