# SPDX-License-Identifier: BSD-3-Clause
"""The plugin with other versions of DPDK than this Debian's.

    devtools/test-versions [--kernel lts|latest] [VERSION…]

For each version the Debian that has it is installed into the cache (some minutes, once; 1.5 GB).
There the plugin is built and checked, its unit tests run, and the most telling of the lab tests,
in the lab with that Debian as its root. Ends with `N passed, N failed, N skipped`.
(For newer packages remove the directory that it names.)
"""

import argparse
import os
import sys
import time

sys.dont_write_bytecode = True  # nothing of ours lands in the checkout

import test  # noqa: E402 (bytecode must be off before)

sys.path.insert(0, os.path.join(test.TOP, "devtools"))
from labvm import common, roots  # noqa: E402 (not beside us)

# Start, memory, group rule, and each way in: what rests on how EAL is made.
TESTS = [f"devtools/tests/test_{name}" for name in (
    "forward.py::test_two_nics[va-preallocated]",
    "forward.py::test_one_map_call",
    "group.py::test_disk_unbound",
    "group.py::test_both_named",
    "group.py::test_risk_accepted_by_environment",
    "ways_in.py::test_d_forwards",
    "ways_in.py::test_application[linked]",
    "ways_in.py::test_application[static]",
    "container.py::test_more_than_64_containers",
)]


def test_version(count, version, kernel):
    test.say(f"DPDK {version}")
    root, found = roots.find(version)
    test.say(f"DPDK {found} in {root}")
    inside = roots.enter(root)
    directory = f"build/dpdk-{version}"
    if not test.build_in(count, directory, inside=inside):
        return
    test.unit_in(count, directory, inside=inside)
    plugin = os.path.join(directory, test.PLUGIN)
    test.step(count, "exported symbols", *inside, "devtools/checks/exports", plugin)
    test.step(count, "installation", *inside, "devtools/checks/install", directory)
    test.lab_tests(count, f"lab, DPDK {found}", directory, TESTS,
                   ["--root", root, "--kernel", kernel])


def main():
    parser = argparse.ArgumentParser(prog="devtools/test-versions", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", choices=("lts", "latest"), default="lts")
    parser.add_argument("versions", nargs="*", metavar="VERSION", default=list(roots.SUITES),
                        help=f"of {' '.join(roots.SUITES)}; default: all")
    options = parser.parse_args()
    if not set(options.versions) <= set(roots.SUITES):
        parser.error(f"the versions are: {' '.join(roots.SUITES)}")
    count, begin = test.Count(), time.monotonic()
    test.setup(count, None)
    for version in options.versions:
        try:
            test_version(count, version, options.kernel)
        except common.LabError as error:
            count.fail(f"DPDK {version}: {error}")
    test.say(f"{time.monotonic() - begin:.0f} s")
    return count.close()


if __name__ == "__main__":
    sys.exit(main())
