# SPDX-License-Identifier: BSD-3-Clause
"""Medians, their spread, and the median of stock divided by plugin, as text."""

import functools
import statistics

# part: (what tells the cases apart, what is measured and whether more is better)
COLUMNS = {
    "setup": (("layout", "mib"), {"map_ms": False, "init_ms": False, "exit_ms": False}),
    "curve": (("layout", "mib"), {"map_ms": False, "init_ms": False, "exit_ms": False}),
    "churn": (("layout",), {"alloc_ms": False, "map_ms": False, "free_ms": False}),
    "devices": (("devices",), {"open_ms": False, "reset_ms": False, "close_ms": False,
                               "init_ms": False, "exit_ms": False}),
    "start": (("devices",), {"start_ms": False, "quit_ms": False}),
    "first": (("devices",), {"first_packet_ms": False}),
    "forward": (("frame",), {"mpps": True}),
}
WAYS_TIMES = ("map_ms", "unmap_ms", "exit_ms")


def cases(part, result):
    """{case: {who: {name: [values]}}}, in the order of measurement."""
    keys, names = COLUMNS[part]
    found = {}
    for row in result["rows"]:
        case = found.setdefault(tuple(row[key] for key in keys), {})
        values = case.setdefault(row["who"], {})
        for name in (*names, "maps"):
            if name in row:
                values.setdefault(name, []).append(row[name])
    return {case: who for case, who in found.items() if len(who) == 2}


def ratio(who, name, more_is_better=False):
    """How many times better the plugin is: the median of the ratios, each of two neighbours.

    What they share, such as a host that is slow for some seconds, is in none of these.
    """
    pairs = zip(who["stock"][name], who["plugin"][name])
    return statistics.median(plugin / stock if more_is_better else stock / plugin
                             for stock, plugin in pairs)


def text(part, result):
    lines = [f"{part}, Linux {result['kernel']}: median (min to max)"]
    own = {"ways": ways, "guard": guard, "areas": areas}
    lines += own.get(part, functools.partial(compared, part))(result)
    return lines


def guard(result):
    """Neighbours are compared, as elsewhere."""
    found = {}
    for row in result["rows"]:
        found.setdefault(row["what"], {True: [], False: []})[row["guard"]].append(row["value"])
    for what, values in found.items():
        change = statistics.median(on / off for off, on in zip(values[False], values[True]))
        yield f"  {what:28} without {spread(values[False])}  with {spread(values[True])}  " \
              f"with ÷ without {change:.3f}"


def by_area(result):
    """{(way, area): {who: {"map_ms": [values], "unmap_ms": [values]}}}"""
    found = {}
    for row in result["rows"]:
        times = found.setdefault((row["way"], row["area"]), {}).setdefault(
            row["who"], {"map_ms": [], "unmap_ms": []})
        for name, values in times.items():
            values.append(row[name])
    return found


def gain(times, name, who="2 threads"):
    """How many times faster others are than one thread: the median of the ratios of neighbours."""
    return statistics.median(one / other for one, other in
                             zip(times["1 threads"][name], times[who][name]))


def areas(result):
    for (way, area), times in by_area(result).items():
        yield f"  by {way}, {area} MiB"
        for who, values in times.items():
            yield f"    {who:26} " + "  ".join(
                f"{name} {spread(values[name])} x{gain(times, name, who):.2f}" for name in values)


def compared(part, result):
    keys, names = COLUMNS[part]
    for case, who in cases(part, result).items():
        stock, plugin = who["stock"], who["plugin"]
        yield "  " + ", ".join(f"{key} {value}" for key, value in zip(keys, case))
        for name, more_is_better in names.items():
            yield (f"    {name:15} stock {spread(stock[name])}  plugin {spread(plugin[name])}  "
                   f"{'plugin ÷ stock' if more_is_better else 'stock ÷ plugin'} "
                   f"{ratio(who, name, more_is_better):.2f}")
        if "maps" in plugin:
            yield f"    map calls       stock {max(stock['maps'])}, plugin {max(plugin['maps'])}"


def spread(values):
    return (f"{statistics.median(values):9.3f} ({min(values):.3f} to {max(values):.3f}; "
            f"{len(values)})")


def ways(result):
    mib = None
    for row in result["rows"]:
        if row["mib"] != mib:
            mib = row["mib"]
            yield f"  {mib} MiB"
        yield f"    {row['text']}"
        if "error" in row:
            yield f"      {row['error']}"
            continue
        times = ", ".join("{} {median:.2f} ({min:.2f} to {max:.2f})".format(name, **row[name])
                          for name in WAYS_TIMES)
        pages = " ".join(f"{number}x{size}" for size, number in row["entries"].items() if number)
        yield f"      {row['calls']} calls, {times}, {pages}"
