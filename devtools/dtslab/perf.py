# SPDX-License-Identifier: BSD-3-Clause
"""single_core_forward_perf: the configuration, what was measured, and the table of ratios."""

import ast
import os
import re
import statistics

from labvm.common import CHECKOUT, LabError

SUITE = "single_core_forward_perf"
WANTED = {SUITE: [SUITE]}
FRAMES = (64, 256, 1024, 1518)
CHECKSUM = 4  # bytes of a frame that DTS does not count, and that the NIC adds
TREX_CONFIG = "/etc/trex_cfg.yaml"
GENERATOR = f"""\
perf_traffic_generator:
  type: TREX
  remote_path: {CHECKOUT}/devtools/dtslab/trex
  config: {TREX_CONFIG}
perf: true
func: false"""
# What DTS asks for is only that anything is forwarded at all: the devices are emulated, and what
# counts is one result against the other.
TESTS = f"{SUITE}:\n  delta_tolerance: 0.05\n  test_parameters:\n" + "".join(
    f"    - frame_size: {frame - CHECKSUM}\n      num_descriptors: 1024\n      expected_mpps: 0.001\n"
    for frame in FRAMES)


def read(directory):
    """Rows {"frame", "offered", "forwarded"}, in Mpps, from what DTS heard of the generator.

    (DTS's own record has only what came back, rounded to thousands a second.)
    """
    with open(os.path.join(directory, SUITE, f"{SUITE}.log"), encoding="utf-8") as file:
        answers = re.findall(r"Got output: (\{.*'total'.*\})", file.read())
    if len(answers) != len(FRAMES):
        raise LabError(f"{SUITE} measured {len(answers)} of {len(FRAMES)} frame sizes: see "
                       f"{directory}")
    totals = [ast.literal_eval(answer)["total"] for answer in answers]
    return [{"frame": frame, "offered": total["tx_pps"] / 1e6, "forwarded": total["rx_pps"] / 1e6}
            for frame, total in zip(FRAMES, totals)]


def text(rows):
    """A table; rows: those of read(), each with who ran, in the order of the runs."""
    lines = [f"{'':5}  {'stock EAL, kpps':{WIDTH}}  plugin, kpps",
             f"{'frame':5}  {HEAD}  {HEAD}  plugin ÷ stock"]
    for frame in FRAMES:
        stock, plugin = ([row for row in rows if row["who"] == who and row["frame"] == frame]
                         for who in ("stock", "plugin"))
        # Of a run and the one after it: the host's speed is not the same an hour later.
        ratios = [ours["forwarded"] / theirs["forwarded"] for theirs, ours in zip(stock, plugin)]
        lines.append(f"{frame:5}  {columns(stock)}  {columns(plugin)}  {median(ratios, '.2f')}")
    return [*lines, "", f"medians (lowest to highest) of {len(ratios)} runs each, in turn; a ratio is "
            "that of a run and the one before it"]


HEAD = f"{'offered':>8}  {'forwarded':23}"
WIDTH = len(HEAD)


def columns(rows):
    offered = statistics.median(row["offered"] for row in rows) * 1e3
    return f"{offered:8.1f}  {median([row['forwarded'] * 1e3 for row in rows], '.1f'):23}"


def median(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
