# SPDX-License-Identifier: BSD-3-Clause
"""What reads texts and messages of others, with inputs that nobody would write.

    devtools/fuzz [--seconds N] [--jobs N] [TARGET…]

Builds the targets (app/fuzz) in build/fuzz and runs each for so many seconds (600), side by side as
many as jobs (1), all without a TARGET. What libFuzzer finds worth to keep adds to
build/fuzz/corpus-TARGET, begun from app/fuzz/corpus/TARGET: the next run goes on from there.
Prints how many inputs there were; fails where one is a fault, and names it.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import sys

sys.dont_write_bytecode = True  # nothing of ours lands in the checkout

from test import TOP, run  # noqa: E402 (bytecode must be off before)

BUILD = "build/fuzz"
CONFIGURE = ["meson", "setup", BUILD, "--werror", "-Dfuzz=true", "-Dtests=false", "-Ddocs=disabled",
             "-Dguard=disabled", "-Db_sanitize=address,undefined", "-Db_lundef=false"]
# Longer ones find nothing that these do not, and take longer.
LONGEST = 4096
# An input that takes as many seconds hangs.
HANG = 5


def targets():
    return sorted(os.listdir(os.path.join(TOP, "app/fuzz/corpus")))


def build():
    """What a command that failed printed; None: it is built."""
    configure = list(CONFIGURE)
    if os.path.exists(os.path.join(TOP, BUILD, "build.ninja")):
        configure.append("--reconfigure")
    for command in (configure, ["ninja", "-C", BUILD, "fuzzers"]):
        status, output = run(*command, env={"CC": "clang"})
        if status != 0:
            return output
    return None


def program(target):
    return f"{BUILD}/app/fuzz/fuzz_{target}"


def corpus(target):
    """Ours and what was found before."""
    place = f"{BUILD}/corpus-{target}"
    os.makedirs(os.path.join(TOP, place), exist_ok=True)
    for path in glob.glob(os.path.join(TOP, "app/fuzz/corpus", target, "*")):
        shutil.copy(path, os.path.join(TOP, place))
    return place


def fuzz(target, seconds):
    """How many inputs there were, and the text of a failure or None."""
    status, output = run(program(target), f"-max_total_time={seconds}", f"-max_len={LONGEST}",
                         f"-timeout={HANG}", "-print_final_stats=1",
                         f"-artifact_prefix={BUILD}/{target}-", corpus(target))
    count = re.search(r"^stat::number_of_executed_units: (\d+)", output, re.M)
    if status == 0 and count:
        return int(count.group(1)), None
    written = re.search(r"Test unit written to (\S+)", output)
    how = f"again by: {program(target)} {written.group(1)}" if written else "no input was kept"
    return int(count.group(1)) if count else 0, f"{output[-20000:]}\n{target}: {how}"


def fuzz_all(names, seconds, jobs, tell):
    """tell(target, inputs, failure or None), as each is done."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        runs = {pool.submit(fuzz, name, seconds): name for name in names}
        for done in concurrent.futures.as_completed(runs):
            tell(runs[done], *done.result())


def main():
    parser = argparse.ArgumentParser(prog="devtools/fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("targets", metavar="TARGET", nargs="*")
    options = parser.parse_args()
    if not set(options.targets) <= set(targets()):
        parser.error(f"the targets are: {' '.join(targets())}")
    wrong = build()
    if wrong is not None:
        sys.exit(f"{wrong}\ndevtools/fuzz: {BUILD} cannot be built")
    failed = []

    def tell(name, count, failure):
        if failure:
            failed.append(name)
            print(failure)
        print(f"{name}: {count} inputs, {'FAILED' if failure else 'no fault'}", flush=True)

    fuzz_all(options.targets or targets(), options.seconds, options.jobs, tell)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
