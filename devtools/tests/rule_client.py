# SPDX-License-Identifier: BSD-3-Clause
"""Runs app/test/rule_client, a DPDK application that goes step by step."""

import os
import subprocess

import plugin

CLIENT = os.path.join(os.path.dirname(plugin.PLUGIN), "../../../app/test/rule_client")


class Client:
    """Reads what it says, and lets it go on by a line."""

    def __init__(self, *args, eal=(), wrapper=()):
        self.output = ""
        self.process = subprocess.Popen(
            [*wrapper, CLIENT, "-l", "0-1", "--iova-mode=va", "-m", "64", *eal, "--", *args],
            env=plugin.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        print(self.output)
        self.process.kill()
        self.process.communicate()

    def wait_for(self, line):
        for text in self.process.stdout:
            self.output += text
            if text.strip() == line:
                return
        raise AssertionError(f"rule_client ends before it says {line!r}")

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        rest, _ = self.process.communicate(timeout=120)
        self.output += rest
        assert self.process.returncode == 0, self.output
