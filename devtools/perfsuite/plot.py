# SPDX-License-Identifier: BSD-3-Clause
"""SVG plots by gnuplot, of medians."""

import statistics
import subprocess

from . import table

PLOTS = (
    # name, part, y, its name, x, its name
    ("setup", "curve", "map_ms", "DMA set-up, ms", "mib", "memory, MiB"),
    ("calls", "curve", "maps", "map calls at start", "mib", "memory, MiB"),
    ("opened", "devices", "open_ms", "opening of the devices, ms", "devices", "devices"),
    ("closed", "devices", "close_ms", "closing of the devices, ms", "devices", "devices"),
    ("start", "start", "start_ms", "start of dpdk-testpmd, ms", "devices", "devices"),
    ("exit", "start", "quit_ms", "exit of dpdk-testpmd, ms", "devices", "devices"),
    ("forward", "forward", "mpps", "forwarded by one core, Mpps", "frame", "frame, bytes"),
)


def draw(base, results):
    for name, part, y, y_name, x, x_name in PLOTS:
        if part in results:
            result = results[part]
            lines = series(part, result, y, x)
            if lines:
                gnuplot(f"{base}-{name}.svg", result, lines,
                        f"{y_name} (Linux {result['kernel']})", y_name, x_name)


def series(part, result, y, x):
    """{name of a line: [(x, median of y)]}"""
    keys = table.COLUMNS[part][0]
    lines = {}
    for case, who in table.cases(part, result).items():
        rest = [str(value) for key, value in zip(keys, case) if key != x]
        for name, values in who.items():
            lines.setdefault(", ".join([name, *rest]), []).append(
                (case[keys.index(x)], statistics.median(values[y])))
    return {name: sorted(lines[name]) for name in sorted(lines)}


def gnuplot(path, result, lines, title, y_name, x_name):
    label = f"{x_name}\\n{caption(result)}"
    script = [
        "set terminal svg size 800,500 background 'white'", f"set output {quoted(path)}",
        f"set title {quoted(title)}", f"set ylabel {quoted(y_name)}",
        f"set xlabel {quoted(label)} noenhanced",
        "set yrange [0:*]", "set key top left", "set grid",
    ]
    for number, points in enumerate(lines.values()):
        script += [f"$data{number} << END", *(f"{x} {y}" for x, y in points), "END"]
    script.append("plot " + ", ".join(
        f"$data{number} with linespoints title {quoted(name)}"
        for number, name in enumerate(lines)))
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)


def caption(result):
    return f"{result['machine']}; by {result['clock']}; DPDK {result['dpdk']}; {result['date']}"


def quoted(text):
    return '"' + text.replace('"', "'") + '"'
