# SPDX-License-Identifier: BSD-3-Clause
"""Everything that must hold, from a fresh machine on: what CI runs.

    devtools/test [--only PART[,PART…]] [--kernel lts|latest]

Parts, in this order: setup build unit fuzz checks package versions lab matrix arm64 selftest demo
dts. Ends with `N passed, N failed, N skipped`. versions is the quick part of devtools/test-versions for
one of them, matrix the quick part of devtools/matrix, arm64 what only a machine without ACPI shows,
selftest is about the lab itself, demo is devtools/demo. dts, some of DPDK's own test suite, is skipped
unless DPDK_IOASID_DTS_TREE names a checkout of DPDK that has it (25.11 or later): see devtools/dts.
"""

import argparse
import concurrent.futures
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True  # nothing of ours lands in the checkout
sys.path.insert(0, os.path.join(TOP, "devtools"))

import cross  # noqa: E402 (bytecode must be off before)
from labvm import unpack  # noqa: E402 (not beside us, too)

PLUGIN = "drivers/iommu/ioasid/librte_iommu_ioasid.so"
ARCHIVE = "drivers/iommu/ioasid/librte_iommu_ioasid.a"
# The lab finds the plugin at the same path in the guest: it must lie in the checkout.
BUILDS = {
    "build/test-gcc": ({"CC": "gcc"}, []),
    # As packages of Ubuntu and Fedora are built; and a compiler of several words.
    "build/test-lto": ({"CC": "ccache gcc -m64", "CFLAGS": "-flto=auto -ffat-lto-objects",
                        "LDFLAGS": "-flto=auto -Wl,-Bsymbolic-functions"},
                       ["-Ddocs=disabled"]),
    "build/test-asan": ({"CC": "clang"}, ["-Db_sanitize=address,undefined", "-Db_lundef=false",
                                          "-Ddocs=disabled"]),
    "build/test-tsan": ({"CC": "gcc"}, ["-Db_sanitize=thread", "-Db_lundef=false",
                                        "-Dguard=disabled", "-Ddocs=disabled"]),
}
# gcc's analyzer has no finding, but in what the pointers of trees and lists hide from it: there it takes
# what is in them for lost, and what was taken out for still there. AddressSanitizer looks at that, in
# each unit test.
ANALYZED = ("build/test-analyzed", ["-Dtests=false", "-Ddocs=disabled"],
            {"CC": "gcc", "CFLAGS": "-fanalyzer -Wno-analyzer-malloc-leak "
                                    "-Wno-analyzer-use-after-free"})
# A race is looked for where there are threads.
SUITES = {"build/test-tsan": "threads"}
# Without sanitizers, as they are installed.
PLAIN = ("build/test-gcc", "build/test-lto")
BOOT_TIMEOUT = 2400
# What each way in has brought, as devtools/tests/test_whole.py tells: (way, linking, what, yes).
WAYS = []
WAYS_PAGE = "doc/guides/ways.csv"
# The directory with the Debian packages, once they are built.
PACKAGES = []
TESTS = "devtools/tests"
# Two more NICs than the lab has by itself, cabled together.
E1000E = ["--qemu-arg=" + arg for number in (0, 1) for arg in (
    "-device", f"pcie-root-port,id=port-e1000e{number},addr={0x1b + number:x},"
               f"chassis={0x1b + number},slot={0x1b + number}",
    "-netdev", f"hubport,id=cable-e1000e{number},hubid=9",
    "-device", f"e1000e,id=e1000e{number},bus=port-e1000e{number},netdev=cable-e1000e{number},"
               f"romfile=,mac=02:00:00:00:00:4{number}")]
# A switch without ACS, and an igb behind it: its virtual functions are in one group with it.
SWITCH = ["--qemu-arg=" + arg for arg in (
    "-device", "pcie-root-port,id=port-switch,addr=0x1d,chassis=29,slot=29",
    "-device", "x3130-upstream,id=switch-up,bus=port-switch",
    "-device", "xio3130-downstream,id=switch-down,bus=switch-up,chassis=27,slot=30",
    "-netdev", "hubport,id=cable-switch,hubid=10",
    "-device", "igb,id=switchnic,bus=switch-down,netdev=cable-switch,romfile=,"
               "mac=02:00:00:00:00:50")]
NOT_OTHERS = [TESTS, *(f"--ignore={TESTS}/{name}"
                       for name in ("guard", "narrow", "noiommu", "packaged", "programs", "virtio"))]
# Programs as Debian packages them, unpacked only: installed, they would start here, too.
PROGRAMS = {
    "LAB_OVS": ("openvswitch", ("openvswitch-common", "openvswitch-switch",
                                "openvswitch-switch-dpdk")),
    "LAB_SURICATA": ("suricata", (
        "suricata/bookworm-backports", "libhtp2/bookworm-backports", "libevent-pthreads-2.1-7",
        "libhyperscan5", "libluajit-5.1-2", "libmaxminddb0", "libnet1", "libnetfilter-log1",
        "libnetfilter-queue1", "libnfnetlink0")),
}
# A librte_eal whose calls of itself nobody can stand in the place of, as Ubuntu links it.
DIRECT = "build/eal-direct"
# name: (pytest's arguments, the lab's options, the environment). All but the halves are for what
# cannot be in them.
MACHINES = {
    "first half": (["--part=0/2", *NOT_OTHERS], E1000E + SWITCH, {}),
    "second half": (["--part=1/2", *NOT_OTHERS], E1000E + SWITCH, {}),
    "narrow": ([f"{TESTS}/narrow", f"{TESTS}/guard/test_without.py::test_kernel_without_types"],
               ["--iommu=intel-39", "--mem=6G", "--append=hugepagesz=1G hugepages=2",
                "--hugepages=128"], {}),
    "noiommu": ([f"{TESTS}/noiommu"], ["--append=intel_iommu=off"], {}),
    "virtio": ([f"{TESTS}/virtio"],
               ["--iommu=virtio", "--append=iommufd.allow_unsafe_interrupts=1"], {}),
    "direct calls": (["-m", "every_dpdk", *NOT_OTHERS], [],
                     {"LD_LIBRARY_PATH": os.path.join(TOP, DIRECT)}),
    "packaged": (["-m", "packaged_kernel", *NOT_OTHERS, f"{TESTS}/packaged"], [], {}),
    "guard": ([f"{TESTS}/guard"], [], {}),
    "guard by groups": ([f"{TESTS}/guard"], [], {}),
    # `bpf` is no security module in force here.
    "guard by fmod_ret": (["-k", "others_of or 32_bits or report_only", f"{TESTS}/guard"],
                          ["--append=lsm=landlock"], {}),
    "programs": ([f"{TESTS}/programs"], [], {}),
    # A guard that only reports changes nothing for the plugin.
    "under guard": ([f"{TESTS}/test_group.py"], [], {"LAB_GUARD": "--report-only"}),
}
# Those with a kernel of their own run once, and not with each kernel that is tested: the kernel, and
# beside which of those.
OWN_KERNELS = {"programs": ("latest", 1), "packaged": ("debian-6.12", 0), "guard": ("latest", 1),
               "guard by groups": ("debian-6.12", 0), "guard by fmod_ret": ("debian-6.1", 1),
               "under guard": ("latest", 1)}
# Those of one line run after each other. Two lines for each kernel, since a machine waits for its
# devices a third of the time.
LINES = (("first half", "narrow", "direct calls", "guard by fmod_ret", "under guard",
          "programs"),
         ("second half", "noiommu", "virtio", "packaged", "guard", "guard by groups"))
# One process, five lcores, a secondary process; all of DTS takes an hour.
DTS_SUITES = ["hello_world", "l2fwd", "packet_capture"]


class Count:
    """Results so far; each skip and failure is told when it happens."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, []
        self.lock = threading.Lock()

    def ok(self, passed=1):
        with self.lock:
            self.passed += passed

    def fail(self, what, output=""):
        with self.lock:
            self.failed += 1
        if output:
            print(output.rstrip())
        print(f"FAILED: {what}", flush=True)

    def skip(self, what):
        self.skipped.append(what)

    def close(self):
        for what in self.skipped:
            print(f"SKIPPED: {what}")
        print(f"{self.passed} passed, {self.failed} failed, {len(self.skipped)} skipped")
        return 1 if self.failed else 0


def say(text):
    """In one write: parts of the tests run side by side."""
    print(f"==> {text}\n", end="", flush=True)


def run(*command, env=None):
    """A command's exit status and all it printed."""
    result = subprocess.run(command, cwd=TOP, env={**os.environ, **(env or {})}, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                            stdin=subprocess.DEVNULL, errors="replace")
    return result.returncode, result.stdout


def step(count, what, *command, env=None):
    """A command that must succeed, as one test."""
    say(what)
    status, output = run(*command, env=env)
    if status == 0:
        count.ok()
    else:
        count.fail(f"{what}: {' '.join(command)} ended with {status}", output)
    return status == 0


# ---- parts

def setup(count, _):
    say("packages")
    if subprocess.run(["devtools/setup"], cwd=TOP, check=False).returncode != 0:
        count.fail("devtools/setup")


def build(count, _):
    for directory, (env, options) in BUILDS.items():
        build_in(count, directory, options, env)
    build_in(count, *ANALYZED)
    step(count, "librte_eal with direct calls", "devtools/relink-eal", DIRECT)


def build_in(count, directory, options=(), env=None, inside=()):
    """inside: words before each command, to run it in another root."""
    configure = [*inside, "meson", "setup", directory, "--werror", *options]
    if os.path.exists(os.path.join(TOP, directory, "build.ninja")):
        configure.append("--reconfigure")
    return (step(count, f"configure {directory}", *configure, env=env) and
            step(count, f"build {directory}", *inside, "ninja", "-C", directory))


def unit(count, _):
    for directory in BUILDS:
        unit_in(count, directory, SUITES.get(directory, "unit"))


def unit_in(count, directory, suite="unit", inside=()):
    say(f"unit tests in {directory}")
    status, output = run(*inside, "meson", "test", "-C", directory, "--no-rebuild",
                         "--print-errorlogs", "--suite", suite)
    before = count.passed
    read_unit_log(count, directory)
    if status != 0:
        count.fail(f"unit tests in {directory}", output)
    elif count.passed == before:
        count.fail(f"unit tests in {directory}: none ran", output)


def read_unit_log(count, directory):
    """cmocka's verdicts: the tests inside each test program; one of pytest is one test."""
    with open(os.path.join(TOP, directory, "meson-logs/testlog.json"), encoding="utf-8") as file:
        for line in file:
            program = json.loads(line)
            text = program.get("stdout", "") + program.get("stderr", "")
            count.ok(len(re.findall(r"^\[       OK \]", text, re.M)) or
                     (program["result"] == "OK"))
            reasons = {name: reason for reason, name in
                       re.findall(r"^skipped: (.*)\n\[  SKIPPED \] (\w+)$", text, re.M)}
            for name in set(re.findall(r"^\[  SKIPPED \] ([a-z_]\w*)$", text, re.M)):
                if name in reasons:
                    count.skip(f"{name} in {directory}: {reasons[name]}")
                else:
                    count.fail(f"{name} in {directory} skips without saying why")
            for reason in re.findall(r"^SKIPPED \[\d+\] \S*?([^/\s]+:.*)", text, re.M):
                count.skip(f"{reason} in {directory}")


def fuzz(count, _):
    """Briefly; what the corpora come to is a unit test, too."""
    step(count, "fuzzing", "devtools/fuzz", "--seconds", "30", "--jobs", "2")


def sources():
    return [os.path.join(directory, name) for top in ("lib", "drivers", "app")
            for directory, _, names in os.walk(os.path.join(TOP, top))
            for name in names if name.endswith((".c", ".h"))]


def checks(count, _):
    plugin = os.path.join("build/test-gcc", PLUGIN)
    steps = [
        ("cppcheck", *cppcheck()),
        ("clang-tidy", "run-clang-tidy", "-quiet", "-p", "build/test-asan", "-j", "2",
         f"^{re.escape(TOP)}/(lib|drivers|app/dpdk-ioasid)/"),
        ("guides, html", *guides("html")),
        ("guides, man", *guides("man")),
        ("exported symbols", "devtools/checks/exports", plugin),
        *(("installation", "devtools/checks/install", build) for build in PLAIN),
        *(("static library", "devtools/checks/archive", os.path.join(build, ARCHIVE))
          for build in PLAIN),
        ("a path with a blank", "devtools/checks/blank", "build/test-gcc"),
        ("wrong programs", "devtools/checks/fail-closed", "build/test-gcc"),
        ("format", "clang-format", "--dry-run", "--Werror", *sources()),
        ("counting DTS's results", "devtools/dtslab/selftest"),
        ("messages in the guides", "devtools/checks/messages"),
    ]
    together([functools.partial(step, count, *words) for words in steps])


def cppcheck():
    # Without the system's macros (queue.h, rte_log.h) it can parse hardly anything.
    _, dpdk = run("pkg-config", "--cflags-only-I", "libdpdk")
    _, multiarch = run("gcc", "-print-multiarch")
    return ["cppcheck", "--quiet", "--error-exitcode=1", "--std=c11",
            "--enable=warning,performance,portability", "--inline-suppr",
            "-D__x86_64__", "-D__linux__", "-D__GNUC__=12", "-D__STDC__",
            f"--include=/usr/include/{multiarch.strip()}/dpdk/rte_config.h",
            "-Ilib/ioasid", "-Idrivers/iommu/ioasid", "-Iapp/dpdk-ioasid",
            "-Ibuild/test-gcc/drivers/iommu/ioasid", "-Ibuild/test-gcc/app/dpdk-ioasid",
            # clang has its say on what the kernel runs, when it is built.
            "-iapp/dpdk-ioasid/guard/rule.bpf.c",
            '-DLIBDIR="lib"', '-DSYSCONFDIR="etc"', '-DVERSION="0"', "-UPCI_NONRET", "-I/usr/include",
            f"-I/usr/include/{multiarch.strip()}", *dpdk.split(), "lib", "drivers",
            "app/dpdk-ioasid"]


def guides(builder):
    """What Sphinx only warns of is an error."""
    place = f"build/guides-{builder}"
    return ["/usr/bin/sphinx-build", "-q", "-E", "-W", "-n", "-D", "release=test",
            "-d", f"{place}/doctrees", "-b", builder, "doc/guides", f"{place}/pages"]


def package(count, _):
    # For the lab, too, which is another part.
    PACKAGES.append(tempfile.TemporaryDirectory(prefix="dpdk-ioasid-package."))
    step(count, "Debian packages", "devtools/checks/package", PACKAGES[0].name)


def versions(count, _):
    """What rests on another DPDK than this Debian's breaks unseen else; the lab's part takes long."""
    import test_versions  # which needs this file

    test_versions.test_one(count, test_versions.QUICK_VERSION)


def lab(count, kernels):
    """The kernels side by side, each on its share of the processors."""
    built = [kernel for kernel in kernels if kernel_is_there(count, kernel)]
    if len(built) > 1:
        say(f"{' and '.join(built)} side by side; what is the same on every kernel is done once")
    together([functools.partial(lab_on, count, built, part, line)
              for part in range(len(built)) for line in LINES])
    ways(count)


def ways(count):
    """The guide's table is what was found, word for word."""
    kinds = list(dict.fromkeys((way, linking) for way, linking, _, _ in WAYS))
    features = list(dict.fromkeys(feature for _, _, feature, _ in WAYS))
    found = {(way, linking, feature): there for way, linking, feature, there in WAYS}
    rows = [["way", "librte_eal's calls of itself", *features]]
    rows += [[*kind, *(found.get((*kind, feature), "-") for feature in features)]
             for kind in sorted(kinds)]
    table = "".join(", ".join(row) + "\n" for row in rows)
    with open(os.path.join(TOP, WAYS_PAGE), encoding="utf-8") as file:
        told = file.read()
    if table == told:
        count.ok()
        return
    path = os.path.join("build", os.path.basename(WAYS_PAGE))
    with open(os.path.join(TOP, path), "w", encoding="utf-8") as file:
        file.write(table)
    count.fail(f"{WAYS_PAGE} is not what was found: compare {path}")


def together(tasks):
    """Side by side; if one raises, so do we."""
    with concurrent.futures.ThreadPoolExecutor(len(tasks) or 1) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


def kernel_is_there(count, kernel):
    say(f"kernel {kernel}")
    if subprocess.run(["devtools/lab", "kernel", kernel], cwd=TOP, check=False,
                      stdout=subprocess.DEVNULL).returncode == 0:
        return True
    count.fail(f"devtools/lab kernel {kernel}")
    return False


def lab_on(count, kernels, part, line):
    cores = sorted(os.sched_getaffinity(0))
    inside = ["taskset", "-c", ",".join(map(str, cores[part::len(kernels)] or cores))]
    for name in line:
        tests, options, env = MACHINES[name]
        kernel, share = kernels[part], f"{part}/{len(kernels)}"
        if name in OWN_KERNELS:
            (kernel, beside), share = OWN_KERNELS[name], "0/1"
            if beside % len(kernels) != part:
                continue
        lab_tests(count, f"lab, {kernel}, {name}", "build/test-gcc",
                  [f"--one-kernel-part={share}", *tests], ["--kernel", kernel, *options],
                  inside, env)


def lab_tests(count, what, directory, tests, options, inside=(), env=None):
    say(f"tests in the {what}")
    # No machine outlives us.
    command = ["setpriv", "--pdeathsig", "TERM", *inside,
               "devtools/lab", "run", "--timeout", str(BOOT_TIMEOUT), *options, "--",
               "env", *(f"{name}={value}" for name, value in (env or {}).items()),
               "/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-rfEs", "-v",
               "--color=no", "--durations=5", *tests]
    plugin = os.path.join(TOP, directory, PLUGIN)
    ours = {**os.environ, "DPDK_IOASID_PLUGIN": plugin,
            "DPDK_IOASID_PACKAGES": PACKAGES[0].name if PACKAGES else "",
            **({name: unpack.program(*packages) for name, packages in PROGRAMS.items()}
               if f"{TESTS}/programs" in tests else {})}
    with subprocess.Popen(command, cwd=TOP, env=ours,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          errors="replace") as process:
        lines = []
        for line in process.stdout:
            print(f"    {what}: {line}", end="", flush=True)
            lines.append(line)
        status = process.wait()
    WAYS.extend(re.findall(r"^WAY (.*) \| (.*) \| (.*) \| (.*)$", "".join(lines), re.M))
    read_pytest(count, what, status, "".join(lines))


def read_pytest(count, what, status, text):
    last = text.rstrip().rsplit("\n", 1)[-1]
    numbers = {word: int(number) for number, word in
               re.findall(r"(\d+) (passed|failed|skipped|errors?)", last)}
    count.ok(numbers.get("passed", 0))
    for reason in re.findall(r"^SKIPPED \[\d+\] (.*)", text, re.M):
        count.skip(f"{what}: {reason}")
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", text, re.M)
    for name in failed:
        count.fail(f"{what}: {name}")
    if status != 0 and not failed:
        count.fail(f"{what}: ended with {status}")
    if not numbers.get("passed"):
        count.fail(f"{what}: no test passed")


def one_core():
    """For a machine of its own: QEMU's threads lose timers when others take their processors, and
    the machine hangs; on one processor QEMU runs it by a single thread."""
    return ["taskset", "-c", str(min(os.sched_getaffinity(0)))]


def selftest(count, kernels):
    if kernel_is_there(count, kernels[0]):
        step(count, "the lab itself", *one_core(), "devtools/labvm/selftest", kernels[0])


def quick_matrix(count, _):
    step(count, "matrix, quick", "devtools/matrix", "--quick")


def arm64(count, kernels):
    if step(count, "for arm64", "devtools/cross"):
        lab_tests(count, f"lab, {kernels[0]}, arm64", cross.DIRECTORY,
                  [f"{TESTS}/test_kernel_faults.py"],
                  ["--kernel", kernels[0], "--iommu=smmuv3"], one_core())


def demo(count, _):
    # Its kernel on all processors, its machine on one.
    if not kernel_is_there(count, "demo"):
        return
    say("demo")
    result = subprocess.run([*one_core(), "devtools/demo"],
                            cwd=TOP, check=False, stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    if result.returncode == 0:
        count.ok()
    else:
        count.fail("devtools/demo", result.stdout)


def dts(count, kernels):
    tree = os.environ.get("DPDK_IOASID_DTS_TREE")
    if not tree:
        count.skip("dts: DPDK_IOASID_DTS_TREE does not name a checkout of DPDK 25.11 or later")
        return
    say(f"DTS of {tree}")
    out = os.path.join(TOP, "build/test-dts")
    shutil.rmtree(out, ignore_errors=True)
    status = subprocess.run(["devtools/dts", "--tree", tree, "--kernel", kernels[0], "--out", out,
                             *DTS_SUITES], cwd=TOP, check=False).returncode
    read_dts(count, status, os.path.join(out, "results.json"))


def read_dts(count, status, path):
    rows = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)["rows"]
    bad = False
    for row in rows:
        result, reason = row["plugin"]["result"], row["plugin"]["reason"]
        what = f"dts: {row['suite']} {row['case']}: {result}: {reason}"
        if result == "SKIP":
            count.skip(what)
        elif result != "PASS":
            bad = True
            count.fail(what)
        elif not row["case"].startswith("("):  # a suite's own set-up or tear-down
            count.ok()
    if status != 0 and not bad:
        count.fail(f"dts: ended with {status}")


PARTS = {"setup": setup, "build": build, "unit": unit, "fuzz": fuzz, "checks": checks,
         "package": package, "versions": versions, "lab": lab, "matrix": quick_matrix,
         "arm64": arm64, "selftest": selftest, "demo": demo, "dts": dts}


def main():
    parser = argparse.ArgumentParser(prog="devtools/test", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="PART,…", default=",".join(PARTS))
    parser.add_argument("--kernel", choices=("lts", "latest"))
    options = parser.parse_args()
    parts = options.only.split(",")
    if not set(parts) <= set(PARTS):
        parser.error(f"the parts are: {' '.join(PARTS)}")
    count, begin = Count(), time.monotonic()
    for name, part in PARTS.items():
        if name in parts:
            part(count, [options.kernel] if options.kernel else ["lts", "latest"])
    say(f"{time.monotonic() - begin:.0f} s")
    return count.close()


if __name__ == "__main__":
    sys.exit(main())
