# SPDX-License-Identifier: BSD-3-Clause
"""The verdict on each case, and the table."""

from .results import GOOD, NOT_RUN, SKIPPED, STEPS

BAD_ALONE = "FAILS WITH THE PLUGIN ALONE"


def put(rows, who, found):
    """The table with what a run of who (plugin or stock) has found in the place of its earlier results.

    Rows are {"suite", "case", "plugin", "stock", "verdict"}; plugin and stock are None where that has
    not been run.
    """
    table = {(row["suite"], row["case"]): row for row in rows}
    for case in found:
        key = case["suite"], case["case"]
        row = table.setdefault(key, {"suite": key[0], "case": key[1], "plugin": None, "stock": None})
        row[who] = {name: case[name] for name in ("result", "reason", "seconds")}
        row["verdict"] = verdict(*(row[one] and row[one]["result"] for one in ("plugin", "stock")))
    return sorted(table.values(), key=lambda row: row["suite"])


def verdict(plugin, stock):
    """Of two results, None where one has not been run."""
    if plugin in (GOOD, SKIPPED):
        return ("passed" if plugin == GOOD else "skipped by DTS") + \
            (f", with stock EAL {stock}" if stock not in (None, plugin) else "")
    if plugin in (None, *NOT_RUN):
        return "NOT RUN"
    if stock in (None, *NOT_RUN):
        return "FAILS"
    return BAD_ALONE if stock == GOOD else "fails in both"


def acceptable(row):
    return not row["verdict"].isupper()


def shown(rows):
    """With set-ups and tear-downs of suites only where they went wrong with the plugin."""
    return [row for row in rows if row["case"] not in STEPS or
            row["plugin"] and row["plugin"]["result"] not in (GOOD, SKIPPED)]


def text(rows):
    """As lines, with how many there are of each kind in the last."""
    rows = shown(rows)
    cells = [("suite", "case", "plugin", "stock", "s", "s", "verdict")]
    cells += [(row["suite"], row["case"], *columns(row, "result"), *columns(row, "seconds"),
               row["verdict"]) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.rjust(width) if column in (4, 5) else cell.ljust(width)
                       for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
             for row in cells]
    return lines + ["", summary(rows)]


def columns(row, name):
    values = (row[who] and row[who][name] for who in ("plugin", "stock"))
    return ["-" if value is None else str(value) for value in values]


def summary(rows):
    counts = {}
    for row in rows:
        key = row["verdict"].split(",")[0]
        counts[key] = counts.get(key, 0) + 1
    return f"{len(rows)} cases: " + ", ".join(f"{count} {key}" for key, count in counts.items())
