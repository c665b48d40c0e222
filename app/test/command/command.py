# SPDX-License-Identifier: BSD-3-Clause
"""The command under test, on a machine of files."""

import json
import os
import re
import subprocess

import jsonschema
import pytest

from place import COMMAND


with open(os.path.join(os.path.dirname(__file__), "../../../doc/guides/check.schema.json"),
          encoding="utf-8") as schema:
    SCHEMA = json.load(schema)

# (judgement, outcome) of all that was asked, for the test that none is without one.
SEEN = set()


def pmds():
    """The drivers that the command knows of: those of the DPDK it was built with."""
    with open(os.path.join(os.path.dirname(COMMAND), "pmd_table.h"), encoding="utf-8") as table:
        return set(re.findall(r'"(\w+)"', table.read()))


def needs_pmd(*names):
    missing = sorted(set(names) - pmds())
    return pytest.mark.skipif(bool(missing),
                              reason=f"DPDK was built without {', '.join(missing)}")


def run(*args, root=None, status=0, env=None, both=True):
    """The command's output, both streams; it must end with that status."""
    more = {"DPDK_IOASID_ROOT": root.root} if root else {}
    result = subprocess.run([COMMAND, *args], env={**os.environ, **more, **(env or {})}, text=True,
                            stdout=subprocess.PIPE, timeout=60, check=False,
                            stderr=subprocess.STDOUT if both else subprocess.PIPE)
    print(result.stdout)
    assert result.returncode == status
    return result.stdout


def check(root, *bdfs, status=0):
    """What `check` says of devices, by BDF; the text says the same."""
    text = run("check", *bdfs, root=root, status=status)
    result = json.loads(run("check", "--json", *bdfs, root=root, status=status))
    jsonschema.validate(result, SCHEMA)
    for device in result["devices"]:
        assert f"verdict              {device['verdict']}: {device['reason']}\n" in text
        for line in device["notes"] + device["next"]:
            assert f" {line}\n" in text
        SEEN.update((f["id"], f["outcome"]) for f in device["findings"])
    return {device["bdf"]: device for device in result["devices"]}, result["machine"]


def finding(device, name):
    """The outcome of a judgement."""
    [outcome] = [f["outcome"] for f in device["findings"] if f["id"] == name] or ["none"]
    return outcome


def untouched(root, bdf):
    with open(root.path("sys/bus/pci/devices", bdf, "driver_override"), encoding="ascii") as file:
        return file.read() == "(null)\n"
