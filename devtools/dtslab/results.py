# SPDX-License-Identifier: BSD-3-Clause
"""What a DTS run has found: read from its files, each case counted."""

import datetime
import json
import os
import re

GOOD, SKIPPED, MISSING, BLOCKED = "PASS", "SKIP", "MISSING", "BLOCK"
NOT_RUN = MISSING, BLOCKED
STEP_NAMES = "setup", "teardown"
STEPS = tuple(f"({name})" for name in STEP_NAMES)  # a suite's own, as cases of it
REASON_LENGTH = 200


def read(directory, wanted):
    """Rows {"suite", "case", "result", "reason", "seconds"}, one for each case that was wanted.

    A case that DTS does not mention is MISSING: neither its summary nor its exit status tells
    that. A suite's own set-up and tear-down have rows like cases.
    """
    found = load(directory)
    return [row for suite, cases in wanted.items()
            for row in suite_rows(suite, cases, found.get(suite, {}),
                                  durations(os.path.join(directory, suite, f"{suite}.log")))]


def load(directory):
    path = os.path.join(directory, "results.json")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)["test_suites"]


def reached(directory):
    """Whether DTS got as far as a test suite."""
    return any(isinstance(value, dict) for value in load(directory).values())


def finished(rows, running):
    """Of an interrupted run: those of cases that are not to be run again."""
    return [row for row in rows if row["result"] not in NOT_RUN
            and row["case"] not in (running, *STEPS)]


def suite_rows(suite, cases, found, seconds):
    def row(case, result, reason=""):
        return {"suite": suite, "case": case, "result": result,
                "reason": " ".join(reason.split())[:REASON_LENGTH], "seconds": seconds.get(case)}

    for name, step in zip(STEP_NAMES, STEPS):
        if name in found:
            yield row(step, found[name]["result"], found[name].get("reason", ""))
    for case in cases:
        if case in found:
            yield case_row(row, case, found[case])
        elif "result" in found:  # of the suite as a whole
            yield row(case, found["result"], found.get("reason", ""))
        else:
            yield row(case, MISSING, "DTS did not get to it")


def case_row(row, case, found):
    """A case is as good as the worst of its steps and itself."""
    parts = [found, *(found.get(name, {}) for name in STEP_NAMES)]
    for part in parts:
        if part.get("result", GOOD) not in (GOOD, SKIPPED, BLOCKED):
            return row(case, part["result"], part.get("reason", ""))
    return row(case, found.get("result", MISSING), found.get("reason", ""))


def durations(log):
    """{case: seconds}, from its set-up to the end of its tear-down."""
    seconds, begin, name = {}, None, None
    if not os.path.exists(log):
        return seconds
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            stamp = re.match(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - ", line)
            if not stamp:
                continue
            now = datetime.datetime.strptime(stamp[1], "%Y/%m/%d %H:%M:%S")
            running = re.search(r"Running test case '(\w+)'", line)
            if "to stage 'test_case_setup'" in line:
                begin = now
            elif running:
                name = running[1]
            elif "from stage 'test_case_teardown'" in line and begin and name:
                seconds[name] = int((now - begin).total_seconds())
    return seconds
