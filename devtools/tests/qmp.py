# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's monitor, as the lab lets the guest speak to it."""

import json
import os
import subprocess

QMP = os.path.join(os.path.dirname(__file__), "../labvm/qmp")


def command(execute, /, **arguments):
    words = json.dumps({"execute": execute, "arguments": arguments})
    reply = subprocess.run([QMP, words], capture_output=True, text=True, check=False)
    assert reply.returncode == 0, reply.stdout + reply.stderr
    return json.loads(reply.stdout)["return"]


def has(name):
    """Whether there is a device of that name: for the machine a moment longer than for its kernel."""
    return name in [item["name"] for item in command("qom-list", path="/machine/peripheral")]
