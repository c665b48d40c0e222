# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's own test suite, DTS, on a packaged DPDK with the plugin, in the lab.

    devtools/dts --tree DPDK-CHECKOUT [--baseline] ['SUITE [CASE…]'…]
    devtools/dts --tree DPDK-CHECKOUT --perf N

Boots two machines, cabled to each other, and runs the DTS of that checkout (25.11 or later, as it
is; nothing in it is changed) against Debian 13's DPDK with the plugin; with --baseline also
against the same DPDK without. Without SUITE: every functional one.

Ends with one table. A case that fails in both is marked so. Exit status 0: each case that was
asked for has run, at least one has passed, and none has failed with the plugin alone (without
--baseline: none has failed at all). DTS's files are in DIR/plugin/1 and DIR/stock/1 (where the
host is too slow for DTS's own limits, the rest is run again: 2, 3 and so on), and the table in
DIR/results.json; what earlier runs have found of other cases is kept there, and --show prints
all of it. The guide "DTS" tells how to do the same on real machines.
"""

import argparse
import datetime
import json
import os
import signal
import sys

sys.dont_write_bytecode = True  # nothing of ours lands in the checkout

import test  # noqa: E402 (bytecode must be off before)

sys.path.insert(0, os.path.join(test.TOP, "devtools"))
from dtslab import (machines, packages, perf, results, run, suites,  # noqa: E402 (not beside us)
                    table)
from labvm import common, roots  # noqa: E402

BUILD = f"build/dpdk-{packages.VERSION}"


def prepare(options):
    """The Debian to run in and the plugin, built there."""
    options.tree = os.path.realpath(options.tree)
    options.out = os.path.realpath(options.out)
    options.release = suites.release(options.tree)
    options.root, options.dpdk = roots.find(packages.VERSION, packages.PACKAGES)
    options.build = os.path.join(test.TOP, BUILD)
    count = test.Count()
    if not test.build_in(count, BUILD, inside=roots.enter(options.root)):
        raise common.LabError("the plugin could not be built")


def functional(options):
    wanted = suites.wanted(options.tree, options.suites)
    rows = []
    for who in ("plugin", "stock") if options.baseline else ("plugin",):
        for found, _ in run.dts(options, who, wanted, os.path.join(options.out, who)):
            remember(options, who, found)
            rows = table.put(rows, who, found)
    rows = table.shown(rows)
    for line in table.text(rows):
        print(line)
    for row in rows:
        if row["plugin"] and row["plugin"]["result"] != results.GOOD:
            print("{suite} {case}: {plugin[result]}: {plugin[reason]}".format_map(row))
    passed = any(row["verdict"].startswith("passed") for row in rows)
    return 0 if passed and all(table.acceptable(row) for row in rows) else 1


def measure(options):
    """In turn, so that both have the same share of whatever else this machine does."""
    for _ in range(options.perf):
        pair = [row for who in ("stock", "plugin") for row in measure_one(options, who)]
        save(options, PERF, load(options, PERF)["rows"] + pair)
    print("\n".join(perf.text(load(options, PERF)["rows"])))
    return 0


def measure_one(options, who):
    *_, (_, place) = run.dts(options, who, perf.WANTED, os.path.join(options.out, f"perf-{who}"),
                             kinds=machines.PERF, generator=perf.GENERATOR, tests=perf.TESTS)
    return [{"who": who, **row} for row in perf.read(place)]


# ---- results, with those of earlier runs

FUNCTIONAL, PERF = "results.json", "perf.json"


def load(options, name):
    path = os.path.join(options.out, name)
    if not os.path.exists(path):
        return {"rows": []}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def save(options, name, rows):
    result = {"dts": options.release, "dpdk": options.dpdk, "kernel": options.kernel,
              "date": datetime.date.today().isoformat(), "rows": rows}
    with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


def remember(options, who, found):
    """What has not run does not take the place of what has."""
    found = [case for case in found if case["result"] not in results.NOT_RUN]
    save(options, FUNCTIONAL, table.put(load(options, FUNCTIONAL)["rows"], who, found))


def show(options):
    for name, text in ((FUNCTIONAL, table.text), (PERF, perf.text)):
        found = load(options, name)
        if found["rows"]:
            print(f"DTS {found['dts']}, DPDK {found['dpdk']}, kernel {found['kernel']}, "
                  f"{found['date']}", "", *text(found["rows"]), "", sep="\n")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="devtools/dts", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", metavar="DIR", help="the DPDK checkout whose DTS is run")
    parser.add_argument("--baseline", action="store_true", help="with stock EAL, too")
    parser.add_argument("--perf", type=int, metavar="N",
                        help="instead: single_core_forward_perf, N times with each in turn; "
                             "added to the repetitions that DIR has")
    parser.add_argument("--kernel", choices=("lts", "latest"), default="lts")
    parser.add_argument("--out", default=os.path.join(test.TOP, "build/dts"), metavar="DIR",
                        help="for all results; default: build/dts")
    parser.add_argument("--timeout", type=int, default=3600, metavar="SECONDS",
                        help="for each run of DTS; default: 3600")
    parser.add_argument("--show", action="store_true", help="only print what DIR has")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    options = parser.parse_args()
    if options.show:
        return show(options)
    if not options.tree:
        parser.error("--tree is missing: the checkout of DPDK 25.11 or later whose DTS is to run")
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        prepare(options)
        return measure(options) if options.perf else functional(options)
    except common.LabError as error:
        common.say(error)
        return error.status


if __name__ == "__main__":
    sys.exit(main())
