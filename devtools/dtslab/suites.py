# SPDX-License-Identifier: BSD-3-Clause
"""Which test suites and cases a DPDK checkout has, read from its files without running them."""

import ast
import glob
import os
import re

from labvm.common import LabError

PREFIX = "TestSuite_"
# The other two of its cases are DPDK's own tests, which packages do not have.
SMOKE = "smoke_tests devices_listed_in_testpmd device_bound_to_driver"


def functional(tree):
    """{suite: [case]}, without those that measure performance."""
    found = {}
    for path in sorted(glob.glob(os.path.join(tree, "dts/tests", f"{PREFIX}*.py"))):
        cases = cases_in(path)
        if cases:
            found[os.path.basename(path)[len(PREFIX):-3]] = cases
    if not found:
        raise LabError(f"{tree} has no dts/tests/{PREFIX}*.py: a checkout of DPDK 25.11 or later "
                       "is wanted")
    return found


def cases_in(path, marker="func_test"):
    with open(path, encoding="utf-8") as file:
        parsed = ast.parse(file.read())
    return [function.name for function in ast.walk(parsed)
            if isinstance(function, ast.FunctionDef) and
            any(isinstance(mark, ast.Name) and mark.id == marker
                for mark in function.decorator_list)]


def wanted(tree, asked):
    """{suite: [case]} of what is to be run; asked: `SUITE` or `SUITE CASE…` each, none means all."""
    known = functional(tree)
    asked = asked or [SMOKE, *(name for name in known if name != "smoke_tests")]
    chosen = {}
    for word in asked:
        name, *cases = word.split()
        unknown = [] if name in known and set(cases) <= set(known[name]) else [word]
        if unknown:
            raise LabError(f"{tree} has no functional test suite or case `{word}`; the suites "
                           f"are: {' '.join(known)}")
        chosen[name] = cases or known[name]
    return chosen


def words(wanted):
    """The inverse: in DTS's own words."""
    return [" ".join([suite, *cases]) for suite, cases in wanted.items()]


def without(wanted, rows):
    """What is left when those have been run."""
    done = {(row["suite"], row["case"]) for row in rows}
    left = {suite: [case for case in cases if (suite, case) not in done]
            for suite, cases in wanted.items()}
    return {suite: cases for suite, cases in left.items() if cases}


def release(tree):
    """The checkout's version, 25.11.0 for instance."""
    try:
        with open(os.path.join(tree, "VERSION"), encoding="ascii") as file:
            return re.match(r"[\d.]+(-rc\d+)?", file.read())[0]
    except (OSError, TypeError) as error:
        raise LabError(f"{tree} is not a DPDK checkout: it has no VERSION") from error
