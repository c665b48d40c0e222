# SPDX-License-Identifier: BSD-3-Clause
"""What every part of the lab needs: its error, its places, its voice."""

import ctypes
import os
import signal
import sys

LABVM = os.path.dirname(os.path.realpath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(LABVM))


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


def die_with_parent():
    """For preexec_fn: nothing that the lab started outlives it, even if it is killed with -9."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
