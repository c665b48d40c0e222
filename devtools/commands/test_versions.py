# SPDX-License-Identifier: BSD-3-Clause
"""The plugin with other versions of DPDK than this Debian's.

    devtools/test-versions [--kernel lts|latest] [--quick] [VERSION…]
    devtools/test-versions [--kernel lts|latest] [--quick] --prefix DIR

For each version the Debian that has it is installed into the cache (some minutes, once; 1.5 GB).
There the plugin is built and checked, its unit tests run, and the lab tests that rest on how DPDK
is made (marked every_dpdk), in the lab with that Debian as its root. --prefix: the same with a
DPDK that was built from anywhere and installed into a directory of this machine. --quick: all but
the lab. Ends with `N passed, N failed, N skipped`.
(For newer packages remove the directory that it names.)
"""

import argparse
import glob
import os
import sys
import time

sys.dont_write_bytecode = True  # nothing of ours lands in the checkout

import test  # noqa: E402 (bytecode must be off before)
from labvm import common, roots  # noqa: E402 (test tells where it is)


def test_dpdk(count, what, directory, kernel, inside=(), env=None, lab=()):
    """inside, env: what to run commands with, so that they find that DPDK; lab: the lab's
    options; None: not there."""
    env = env or {}
    inside = [*inside, *(["env", *(f"{name}={value}" for name, value in env.items())])]
    if not test.build_in(count, directory, inside=inside):
        return
    test.unit_in(count, directory, inside=inside)
    plugin = os.path.join(directory, test.PLUGIN)
    for name, *words in (("exported symbols", "devtools/checks/exports", plugin),
                         ("installation", "devtools/checks/install", directory),
                         ("wrong programs", "devtools/checks/fail-closed", directory)):
        test.step(count, f"{name}, {what}", *inside, *words)
    if lab is not None:
        test.lab_tests(count, f"lab, {what}", directory, ["-m", "every_dpdk", *test.NOT_OTHERS],
                       [*lab, "--kernel", kernel], test.one_core(), env)


def test_version(count, version, kernel, quick):
    test.say(f"DPDK {version}")
    root, found = roots.find(version)
    test.say(f"DPDK {found} in {root}")
    test_dpdk(count, f"DPDK {found}", f"build/dpdk-{version}", kernel, inside=roots.enter(root),
              lab=None if quick else ["--root", root])


# What devtools/test tries: the one that has been out for longest.
QUICK_VERSION = min(roots.SUITES)


def test_one(count, version, kernel="lts", quick=True, test_it=test_version):
    try:
        test_it(count, version, kernel, quick)
    except common.LabError as error:
        count.fail(f"DPDK {version}: {error}")


def test_prefix(count, prefix, kernel, quick):
    """An installation of its own: nothing of the system's DPDK may get in."""
    found = glob.glob(f"{prefix}/lib*/**/pkgconfig/libdpdk.pc", recursive=True)
    if len(found) != 1:
        raise common.LabError(f"{prefix} holds {len(found)} installations of DPDK "
                              "(lib*/pkgconfig/libdpdk.pc): name the prefix of one")
    libdir = os.path.dirname(os.path.dirname(found[0]))
    env = {"PKG_CONFIG_PATH": os.path.dirname(found[0]), "LD_LIBRARY_PATH": libdir,
           "PATH": f"{prefix}/bin:{os.environ['PATH']}"}
    _, version = test.run("pkg-config", "--modversion", "libdpdk", env=env)
    version = version.strip()
    test.say(f"DPDK {version} in {prefix}")
    test_dpdk(count, f"DPDK {version} in {prefix}", f"build/dpdk-prefix-{version}", kernel,
              env=env, lab=None if quick else [])


def main():
    parser = argparse.ArgumentParser(prog="devtools/test-versions", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", choices=("lts", "latest"), default="lts")
    parser.add_argument("--quick", action="store_true", help="without the lab")
    parser.add_argument("--prefix", metavar="DIR", type=os.path.abspath)
    parser.add_argument("versions", nargs="*", metavar="VERSION", default=[],
                        help=f"of {' '.join(roots.SUITES)}; default: all")
    options = parser.parse_args()
    if not set(options.versions) <= set(roots.SUITES):
        parser.error(f"the versions are: {' '.join(roots.SUITES)}")
    if options.prefix and options.versions:
        parser.error("a version or a prefix, not both")
    count, begin = test.Count(), time.monotonic()
    test.setup(count, None)
    tasks = [(test_version, version) for version in options.versions or roots.SUITES]
    for task, name in [(test_prefix, options.prefix)] if options.prefix else tasks:
        test_one(count, name, options.kernel, options.quick, task)
    test.say(f"{time.monotonic() - begin:.0f} s")
    return count.close()


if __name__ == "__main__":
    sys.exit(main())
