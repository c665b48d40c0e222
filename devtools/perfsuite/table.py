# SPDX-License-Identifier: BSD-3-Clause
"""Medians, their spread, and stock divided by plugin, as text."""

import statistics

# part: (what tells the cases apart, what is measured and whether more is better)
COLUMNS = {
    "setup": (("layout", "mib"), {"map_ms": False, "init_ms": False, "exit_ms": False}),
    "churn": (("layout",), {"alloc_ms": False, "map_ms": False, "free_ms": False}),
    "start": (("devices",), {"start_ms": False, "quit_ms": False}),
    "forward": (("frame",), {"mpps": True, "first_packet_ms": False}),
}


def cases(part, result):
    """{case: {who: {name: [values]}}}, in the order of measurement."""
    keys, names = COLUMNS[part]
    found = {}
    for row in result["rows"]:
        case = found.setdefault(tuple(row[key] for key in keys), {})
        values = case.setdefault(row["who"], {name: [] for name in [*names, "maps"]})
        for name in names:
            values[name].append(row[name])
        if "maps" in row:
            values["maps"].append(row["maps"])
    return found


def ratio(stock, plugin, more_is_better):
    a, b = statistics.median(stock), statistics.median(plugin)
    if more_is_better:
        a, b = b, a
    return a / b if b else float("inf")


def show(kernel, part, result):
    print(f"\n{part}, kernel {kernel} ({result['kernel']}), {result['date']}: median (min to max)")
    for case, who in cases(part, result).items():
        print("  " + ", ".join(f"{key} {value}" for key, value in
                               zip(COLUMNS[part][0], case)))
        for name, more_is_better in COLUMNS[part][1].items():
            stock, plugin = who["stock"][name], who["plugin"][name]
            better = "plugin ÷ stock" if more_is_better else "stock ÷ plugin"
            print(f"    {name:16} stock {spread(stock)}  plugin {spread(plugin)}  "
                  f"{better} {ratio(stock, plugin, more_is_better):.2f}")
        if who["plugin"]["maps"]:
            print(f"    {'map calls':16} stock {max(who['stock']['maps'])}  "
                  f"plugin {max(who['plugin']['maps'])}")


def spread(values):
    return f"{statistics.median(values):9.3f} ({min(values):.3f} to {max(values):.3f})"
