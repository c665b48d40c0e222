# SPDX-License-Identifier: BSD-3-Clause
"""One run of the checkout's DTS, as it is, against two freshly booted machines."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

from labvm import roots
from labvm.common import LabError, die_with_parent, say

from . import config, machines, results, suites

# DTS asks for a newer fabric than Debian has, whose timers outlive the last command by this much.
STEP_TIMEOUT = 30
# DTS gives a shell, testpmd too, five seconds without a word to start in. Where the host is busy that
# is not enough, and DTS is out of step from then on: it types its commands into what it gave up.
# (Not so with one that it only waits for, BlockingApp: that is there after all.)
TOO_LATE = re.compile(r"(?<!BlockingApp) - INFO - Interactive shell failed to start")
# Then what is left is run on fresh machines; but a case that was first and too late so often may have
# its own reason.
ATTEMPTS = 3
INTERRUPT_LIMIT = 120  # for DTS to write its results
KEY = ".ssh/id_ed25519"


def dts(options, who, wanted, directory, **more):
    """Run the cases, {suite: [case]}. Yields after each attempt rows of what is done, as of
    results.read(), and the place of DTS's own results and logs: directory/1, 2 and so on.

    more: of the machines and the configuration, see machines.pair() and config.write().
    """
    shutil.rmtree(directory, ignore_errors=True)
    stuck = 0
    for number in itertools.count(1):
        place = os.path.join(directory, str(number))
        os.makedirs(place)
        progress = Progress(patient=stuck >= ATTEMPTS - 1)
        attempt(options, who, suites.words(wanted), place, progress, **more)
        found = results.read(place, wanted)
        if results.reached(place) and not progress.late:
            yield found, place
            return
        problem = f"{progress.problem()}: see {place}/console.txt"
        if progress.patient and not progress.late:
            raise LabError(problem)
        done = results.finished(found, progress.case)
        yield done, place
        wanted = suites.without(wanted, done)
        if not wanted:
            return
        stuck = 0 if done else stuck + 1
        say(f"dts: {problem}; once more from there")


class Progress:
    """What DTS is at, as its console tells, and whether it lost step."""

    def __init__(self, patient):
        self.patient = patient  # with the first case
        self.cases = 0
        self.case = None
        self.late = False

    def read(self, line):
        """A line of the console; whether going on makes no sense from here on."""
        if self.late:  # the rest is DTS tidying up
            return False
        begun = re.search(r"Running test case '(\w+)'", line)
        if begun:
            self.case = begun[1]
            self.cases += 1
        elif "from stage 'test_case_teardown'" in line:
            self.case = None
        self.late = bool(TOO_LATE.search(line)) and not (self.patient and self.cases <= 1)
        return self.late

    def problem(self):
        return (f"in {self.case or 'set-up'} a program was not there after DTS's five seconds"
                if self.late else "DTS did not get as far as a test")


def attempt(options, who, suite_words, directory, progress, kinds=machines.FUNCTIONAL, **more):
    with tempfile.TemporaryDirectory(prefix="dts.") as place:
        key = make_key(options.root, place)
        environment = {"DPDK_IOASID_DTS_KEY": key, "DPDK_IOASID_DTS_BUILD": options.build}
        say(f"dts: booting two machines for DTS with {who}")
        with machines.pair(options, place, environment, kinds) as pair:
            arguments = config.write(directory, *pair, who, suite_words, **more)
            try:
                start(options, arguments, directory, place, progress)
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


def start(options, arguments, directory, home, progress):
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
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(process.terminate)
            # As by Ctrl-C: DTS marks what is left as blocked and still writes its results.
            after(cleanup, options.timeout, process.send_signal, signal.SIGINT)
            for line in process.stdout:
                console.write(line)
                show(line)
                if progress.read(line):
                    process.send_signal(signal.SIGINT)
                    after(cleanup, INTERRUPT_LIMIT, process.terminate)
                if line.startswith("PASS RATE"):  # all is written; what follows are the timers
                    break
    if not os.path.exists(os.path.join(directory, "results.json")) and not progress.late:
        raise LabError(f"DTS left no results (ended with {process.returncode}): see "
                       f"{directory}/console.txt")


def after(cleanup, seconds, function, *arguments):
    """Call it then, unless the cleanup comes first."""
    timer = threading.Timer(seconds, function, arguments)
    timer.start()
    cleanup.callback(timer.cancel)


def show(line):
    verdict = re.search(r" - (Test (?:case|suite) .* (?:PASSED|FAILED|SKIPPED|BLOCKED)[.:].*)"
                        r"|- (An unexpected ERROR has occurred during .*)", line)
    if verdict:
        print(f"    {verdict[1] or verdict[2]}", flush=True)
