# SPDX-License-Identifier: BSD-3-Clause
"""What every part of the lab needs: its error, its places, its voice."""

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys

LABVM = os.path.dirname(os.path.realpath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(LABVM))
# The caller's CC, MAKEFLAGS, ARCH or Python must not leak into a kernel's build, nor its language
# into what is read.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
               "HOME": os.environ.get("HOME", "/")}

LAB_FAILED = 125  # as timeout(1) and docker have it: not COMMAND's doing


class LabError(Exception):
    """The lab itself failed; the message says what to do."""

    def __init__(self, message, status=LAB_FAILED):
        super().__init__(message)
        self.status = status


def say(text):
    """One line of progress; stdout belongs to COMMAND and to results."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def cache_dir(*parts):
    """A directory of the cache, which lies outside the checkout; made if missing."""
    base = os.environ.get("DPDK_IOASID_CACHE")
    if not base:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        base = os.path.join(home, "dpdk-ioasid")
    path = os.path.join(os.path.abspath(base), *parts)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise LabError(f"cannot make the cache directory {path}: {error.strerror}; "
                       "choose another with DPDK_IOASID_CACHE") from error
    return path


def mebibytes(size):
    """Of 512M or 4G."""
    return int(size[:-1]) << (10 if size[-1] == "G" else 0)


def available_memory():
    """In bytes."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read())[1]) << 10


@contextlib.contextmanager
def lock(path, waiting):
    """One process at a time; the kernel drops the lock of whoever dies."""
    with open(path, "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def output(*command):
    result = subprocess.run(command, env=ENVIRONMENT, text=True, capture_output=True, check=False)
    if result.returncode:
        raise LabError(f"{' '.join(command)} failed: {result.stderr.strip()}")
    return result.stdout


def output_in(directory, *command, hint=""):
    """Of a command that takes its time: its whole output where it failed, and nothing else."""
    result = subprocess.run(command, cwd=directory, env=ENVIRONMENT, text=True, check=False,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    if result.returncode:
        raise LabError(f"{' '.join(command)} failed{': run ' + hint if hint else ''}\n"
                       f"{result.stdout.strip()}")


def die_with_parent():
    """For preexec_fn: nothing that the lab started outlives it, even if it is killed with -9."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
