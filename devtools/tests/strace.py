# SPDX-License-Identifier: BSD-3-Clause
"""What a traced testpmd asks of the kernel."""

import re
from collections import namedtuple

import plugin
from testpmd import Testpmd

# In the order in which they began; request is None but of ioctl().
Call = namedtuple("Call", "thread name fd request")

BEGIN = re.compile(r"^(\d+) +(ioctl|close)\((\w+)(?:, (\w+))?")
# A call into which another thread's came has its result in a line of its own.
UNFINISHED = "<unfinished ...>"
RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>")


def traced(trace, *eal, app=()):
    """A testpmd whose ioctl() and close() are written to a file."""
    strace = ["strace", "-f", "--seccomp-bpf", "-e", "trace=ioctl,close", "-X", "raw",
              "-o", trace, "-E", f"LD_PRELOAD={plugin.PLUGIN}"]
    return Testpmd(*eal, "--log-level=iommu.ioasid:debug", app=app, preload=False, wrapper=strace)


def calls(trace):
    """[Call], those that succeeded."""
    found, under_way = [], {}
    for line in trace.read_text().splitlines():
        begin, resumed = BEGIN.match(line), RESUMED.match(line)
        if begin:
            thread, name, fd, request = begin.groups()
            found.append(Call(thread, name, int(fd, 0), int(request, 0) if request else None))
            if line.endswith(UNFINISHED):
                under_way[thread] = len(found) - 1
            elif not line.endswith(" = 0"):
                found[-1] = None
        elif resumed and resumed[1] in under_way:
            at = under_way.pop(resumed[1])
            if not line.endswith(" = 0"):
                found[at] = None
    return [call for call in found if call]
