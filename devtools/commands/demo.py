# SPDX-License-Identifier: BSD-3-Clause
"""Shows in the lab, with an unmodified dpdk-testpmd, what dpdk-ioasid does.

    devtools/demo [--kernel demo|lts|latest]

Does all its own set-up: packages, build, kernel (a kernel takes some minutes, once; demo is the
smallest that does). Exits with 0
only if all four cases went as they should.
"""

import argparse
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = "build/demo"
PLUGIN = os.path.join(TOP, BUILD, "drivers/iommu/ioasid/librte_iommu_ioasid.so")
PACKETS = 100_000


# ---- on the host: set-up, then the lab

def prepare(kernel):
    step("packages", "devtools/setup")
    if not os.path.exists(os.path.join(TOP, BUILD, "build.ninja")):
        step("configure", "meson", "setup", BUILD, "-Dtests=false", quiet=True)
    step("build the plugin", "ninja", "-C", BUILD, quiet=True)
    step(f"kernel {kernel}", "devtools/lab", "kernel", kernel)


def step(what, *command, quiet=False):
    print(f"==> {what}", flush=True)
    result = subprocess.run(command, cwd=TOP, check=False, text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE if quiet else None,
                            stderr=subprocess.STDOUT if quiet else None)
    if result.returncode != 0:
        sys.exit(f"{result.stdout or ''}demo: {' '.join(command)} failed")


def boot(kernel):
    print(f"==> boot the lab (kernel {kernel}), run dpdk-testpmd in it", flush=True)
    command = ["devtools/lab", "run", "--kernel", kernel, "--timeout", "600", "--",
               "devtools/demo", "--in-the-lab"]
    return subprocess.run(command, cwd=TOP, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, "DPDK_IOASID_PLUGIN": PLUGIN}).returncode


# ---- in the lab: the four cases

def cases():
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(TOP, "devtools/tests"))
    nic0, nic1, nic, disk = (os.environ["LAB_" + name]
                             for name in ("NIC0", "NIC1", "GROUP_NIC", "GROUP_HD"))
    import pci
    pci.bind(nic, "vfio-pci")
    yield "two NICs, each in its own group: forward", lambda: forward(nic0, nic1)
    yield "a NIC that shares its group with a disk controller: refused", lambda: refused(nic, disk)
    pci.bind(disk, "vfio-pci")
    yield "the same, both named by -a: started", lambda: both_named(nic, disk)
    pci.unbind(disk)
    yield "the same with --allow-insecure-vfio: started, and says who is at risk", \
        lambda: at_risk(nic, disk)


def forward(*nics):
    with testpmd(*nics) as program:
        stats = program.forward(PACKETS)
        show(program, "IOASID")
        program.quit()
    for port, numbers in stats.items():
        print(f"      port {port}: {numbers['RX-packets']:,} packets received, "
              f"{numbers['TX-packets']:,} sent, {numbers['RX-errors']} errors")
    return all(numbers["RX-packets"] >= PACKETS and numbers["RX-errors"] == 0
               for numbers in stats.values()) and "by 1 call(s)" in program.output


def refused(nic, disk):
    with testpmd(nic) as program:
        ports = program.ports()
        show(program, "IOASID", " ")
        program.quit()
    return not ports and f"{nic} refused" in program.output and f"-a {disk}" in program.output


def both_named(nic, disk):
    with testpmd(nic, disk) as program:
        ports = program.ports()
        show(program, "IOASID")
        program.quit()
    return ports == [nic] and "at risk" not in program.output


def at_risk(nic, disk):
    with testpmd(nic, options=["--allow-insecure-vfio"]) as program:
        ports = program.ports()
        show(program, "IOASID", " ")
        program.quit()
    return ports == [nic] and f"these PCI BDFs are also at risk: [{disk}]" in program.output


def testpmd(*bdfs, options=()):
    from testpmd import Testpmd, allow
    eal = [*allow(*bdfs), *options, "--iova-mode=va", "-m", "512"]
    print(f"    $ LD_PRELOAD=librte_iommu_ioasid.so dpdk-testpmd {' '.join(eal)}", flush=True)
    app = ["--port-topology=chained"] if len(bdfs) == 1 or options else []
    return Testpmd(*eal, app=app).started()


def show(program, *begins):
    """The plugin's own lines, and those that continue them."""
    mine = False
    for line in program.output.split("testpmd> ")[0].splitlines():
        mine = line.startswith("IOASID") or (mine and line.startswith(begins))
        if mine:
            print(f"      {line}")


def run_cases():
    results = []
    for letter, (title, case) in zip("abcd", cases()):
        print(f"\n({letter}) {title}", flush=True)
        try:
            results.append((letter, title, case()))
        except AssertionError as error:
            print(f"      {error}")
            results.append((letter, title, False))
    print("\nSummary")
    for letter, title, good in results:
        print(f"  {'ok    ' if good else 'FAILED'} ({letter}) {title}")
    return 0 if all(good for _, _, good in results) else 1


def main():
    parser = argparse.ArgumentParser(prog="devtools/demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", choices=("demo", "lts", "latest"), default="demo")
    parser.add_argument("--in-the-lab", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_the_lab:
        return run_cases()
    begin = time.monotonic()
    prepare(options.kernel)
    status = boot(options.kernel)
    print(f"  {time.monotonic() - begin:.0f} s in all")
    return status


if __name__ == "__main__":
    sys.exit(main())
