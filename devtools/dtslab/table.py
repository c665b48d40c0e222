# SPDX-License-Identifier: BSD-3-Clause
"""The verdict on each case, and the table."""

from .results import GOOD, NOT_RUN, SKIPPED

BAD_ALONE = "FAILS WITH THE PLUGIN ALONE"


def verdict(plugin, stock):
    """stock: its result, or None where it was not run."""
    if plugin in (GOOD, SKIPPED):
        return ("passed" if plugin == GOOD else "skipped by DTS") + \
            (f", with stock EAL {stock}" if stock not in (None, plugin) else "")
    if plugin in NOT_RUN:
        return "NOT RUN"
    if stock is None:
        return "FAILS"
    return BAD_ALONE if stock == GOOD else "fails in both"


def acceptable(row):
    return not row["verdict"].isupper()


def merge(runs):
    """Rows of the plugin's run with those of stock EAL beside them, if there are any."""
    stock = {(row["suite"], row["case"]): row for row in runs.get("stock", [])}
    rows = []
    for row in runs["plugin"]:
        other = stock.pop((row["suite"], row["case"]), None)
        if other is None and "stock" in runs:  # a step that went wrong in one of the two only
            other = {"result": GOOD, "seconds": None}
        rows.append({"suite": row["suite"], "case": row["case"], "plugin": row["result"],
                     "stock": other and other["result"],
                     "seconds": [row["seconds"], other and other["seconds"]],
                     "reason": row["reason"],
                     "verdict": verdict(row["result"], other and other["result"])})
    return rows


def text(rows):
    """As lines, with how many there are of each kind in the last."""
    cells = [("suite", "case", "plugin", "stock", "s", "s", "verdict")]
    cells += [(row["suite"], row["case"], row["plugin"], row["stock"] or "-",
               *("-" if number is None else str(number) for number in row["seconds"]),
               row["verdict"]) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.rjust(width) if column in (4, 5) else cell.ljust(width)
                       for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
             for row in cells]
    return lines + ["", summary(rows)]


def summary(rows):
    counts = {}
    for row in rows:
        key = row["verdict"].split(",")[0]
        counts[key] = counts.get(key, 0) + 1
    return f"{len(rows)} cases: " + ", ".join(f"{count} {key}" for key, count in counts.items())
