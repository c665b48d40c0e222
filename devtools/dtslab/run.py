# SPDX-License-Identifier: BSD-3-Clause
"""One run of the checkout's DTS, as it is, against two freshly booted machines."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

from labvm import roots
from labvm.common import LabError, die_with_parent, say

from . import config, machines, results

# DTS asks for a newer fabric than Debian has, whose timers outlive the last command by this much.
STEP_TIMEOUT = 30
# On a busy host a shell takes longer to start than the five seconds that DTS has for it, and DTS
# is out of step from then on.
ATTEMPTS = 3
KEY = ".ssh/id_ed25519"


def dts(options, who, suites, directory, **more):
    """Run the suites (in DTS's own words); its results and logs are in directory then.

    more: of the machines and the configuration, see machines.pair() and config.write().
    """
    for _ in range(ATTEMPTS):
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        attempt(options, who, suites, directory, **more)
        if results.reached(directory):
            return
        say(f"dts: DTS did not get as far as a test: see {directory}/console.txt")


def attempt(options, who, suites, directory, kinds=machines.FUNCTIONAL, **more):
    with tempfile.TemporaryDirectory(prefix="dts.") as place:
        key = make_key(options.root, place)
        environment = {"DPDK_IOASID_DTS_KEY": key, "DPDK_IOASID_DTS_BUILD": options.build}
        say(f"dts: booting two machines for DTS with {who}")
        with machines.pair(options, place, environment, kinds) as pair:
            arguments = config.write(directory, *pair, who, suites, **more)
            try:
                start(options, arguments, directory, place)
            finally:
                for machine in pair:
                    shutil.copy(os.path.join(place, f"kernel-{machine.name}.log"), directory)


def make_key(root, home):
    """The public half."""
    os.mkdir(os.path.join(home, ".ssh"), 0o700)
    path = os.path.join(home, KEY)
    subprocess.run(roots.enter(root, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "dts",
                               "-f", path, directories=[home]), check=True)
    with open(f"{path}.pub", encoding="ascii") as file:
        return file.read().strip()


def start(options, arguments, directory, home):
    """DTS on this machine, in the Debian that has what it needs; home has the key."""
    script = 'cd "$1/dts" && shift && exec python3 main.py "$@"'
    command = roots.enter(
        options.root, "env", f"HOME={home}", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
        "sh", "-c", script, "sh", options.tree, *arguments, "--output-dir", directory,
        "--timeout", str(STEP_TIMEOUT), directories=[options.tree, directory, home])
    with open(os.path.join(directory, "console.txt"), "w", encoding="utf-8") as console, \
         subprocess.Popen(command, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=die_with_parent) as process:
        # As by Ctrl-C: DTS marks what is left as blocked and still writes its results.
        limit = threading.Timer(options.timeout, process.send_signal, [signal.SIGINT])
        limit.start()
        for line in process.stdout:
            console.write(line)
            show(line)
            if line.startswith("PASS RATE"):  # all is written; what follows are the timers
                process.terminate()
        limit.cancel()
    if not os.path.exists(os.path.join(directory, "results.json")):
        raise LabError(f"DTS left no results (ended with {process.returncode}): see "
                       f"{directory}/console.txt")


def show(line):
    verdict = re.search(r" - (Test (?:case|suite) .* (?:PASSED|FAILED|SKIPPED|BLOCKED)[.:].*)"
                        r"|- (An unexpected ERROR has occurred during .*)", line)
    if verdict:
        print(f"    {verdict[1] or verdict[2]}", flush=True)
