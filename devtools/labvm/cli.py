# SPDX-License-Identifier: BSD-3-Clause
"""The command line: devtools/lab run | kernel | shell."""

import argparse
import os
import re
import signal
import sys

from . import kernel, machine, session
from .architecture import AMD64, ARM64
from .common import LabError, mebibytes, say

DESCRIPTION = """\
A virtual machine to test in: a kernel with iommufd (or Debian's own, without), an emulated IOMMU
and emulated PCI devices, with this machine's own files as its root. Nothing that the guest writes
survives it.
"""

KERNELS = """\
lts            built from linux-source-6.12: iommufd and VFIO by both ways, all built in
latest         the same from the newest linux-source of trixie-backports, and for BPF programs:
               types (BTF), BPF among the security modules
lts-modules    lts for BPF programs, too, with iommufd and VFIO as modules
lts-groups     lts without VFIO's device cdevs
lts-cdevs      lts without VFIO's groups
demo           lts with no more than devtools/demo needs, which is built in half the time
debian-6.1     Debian's own, as its users boot them: no iommufd, drivers are modules; nothing is
debian-6.12    built
debian-latest

Of the modules only vfio-pci, type 1 and pci-stub are loaded: nothing does here what udev does
elsewhere. The others are there for modprobe.
"""

DEVICES = """\
COMMAND runs as root in the checkout, with 2 MiB hugepages at /dev/hugepages and, where the kernel
has iommufd, /dev/ioasid as an alias of /dev/iommu. Its stdin is /dev/null; /run is empty. Its environment is PATH,
HOME, TERM, all LAB_* and DPDK_IOASID_* variables of the caller, and

  LAB_NIC0, LAB_NIC1         NICs (igb), each alone in its IOMMU group, one cable between them,
                             bound to vfio-pci
  LAB_GROUP_NIC, _GROUP_HD   an e1000 and a SCSI disk controller sharing a group behind a PCI
                             bridge, unbound
  LAB_EDU_NIC, LAB_EDU       an e1000 and QEMU's edu device sharing another, unbound; the two
                             e1000 are cabled to each other
  LAB_KERNEL, LAB_IOMMU      as --kernel and --iommu name them
  LAB_QMP                    a port to QEMU's monitor, see devtools/labvm/qmp. Devices are called
                             nic0 nic1 group-nic group-hd edu-nic edu, empty root ports hotplug0
                             and hotplug1, ports or bridges bridge-group and bridge-edu.

Exit status: COMMAND's (127 not found, 128+N killed by signal N); 124 when --timeout is over;
125 when the lab failed, the guest's kernel panicked or QEMU ended. The file with the messages
of kernel, firmware and QEMU is named then; LAB_LOG=FILE chooses and keeps it.

Files on this machine must not change while the guest uses them. Kernels and logs are kept in
$DPDK_IOASID_CACHE, by default ~/.cache/dpdk-ioasid.
"""

IOMMUS = """\
IOMMUs:
  intel              VT-d, 48 bits, legacy mode
  intel-39           the same with 39 bits, as processors for desktops have it
  intel-scalable     in scalable mode, translation by the second stage
  intel-first-stage  in scalable mode, translation by the first stage
  virtio             has no interrupt remapping: it needs
                     --append iommufd.allow_unsafe_interrupts=1
  amd                AMD-Vi. Run by a QEMU from Debian's trixie-backports, which is fetched into
                     the cache: it needs 10.1 or later
  smmuv3             an Arm machine: its kernel is cross-built or Debian's own for arm64, its
                     root are packages in the cache, and devtools/cross builds the plugin and
                     its tests for it

"""

ARCHITECTURES = {architecture.name: architecture for architecture in (AMD64, ARM64)}

# Another root may not have bash.
SHELL = ["/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh"]


def main(argv=None):
    arguments, command = split(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return options.function(options, command)
    except LabError as error:
        say(error)
        return error.status
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read our output has gone
        return 128 + signal.SIGPIPE


def run(options, command):
    if not command:
        raise LabError("nothing to run: devtools/lab run [OPTION]... -- COMMAND [ARG]...")
    options.interactive = False
    return start(options, command)


def shell(options, command):
    if not (os.isatty(0) and os.isatty(1)):
        raise LabError("the shell needs a terminal; without one: devtools/lab run -- COMMAND")
    options.interactive = True
    say("the shell's end ends the machine; Ctrl-] ends it at once")
    return start(options, command or SHELL)


def start(options, command):
    if options.hugepages is None:
        options.hugepages = default_hugepages(options.mem)
    machine.check(options)
    architecture = machine.IOMMUS[options.iommu].architecture
    options.root = options.root or architecture.root()
    return session.run(options, kernel.find(options.kernel, architecture), command,
                       environment(options))


def print_kernel(options, _):
    print(kernel.find(options.name, ARCHITECTURES[options.arch]).image)
    return 0


def environment(options):
    """What COMMAND finds besides the devices that the guest looks up."""
    passed = {name: value for name, value in os.environ.items()
              if re.fullmatch(r"(LAB_|DPDK_IOASID_)[A-Za-z0-9_]*", name)}
    return {**passed, "HOME": "/root", "TERM": os.environ.get("TERM", "dumb"),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LAB_KERNEL": options.kernel, "LAB_IOMMU": options.iommu}


def default_hugepages(mem):
    """3/10 of the memory: room for the kernel, for what the guest writes, and for programs."""
    return int(mebibytes(mem) * 0.3 / 2)


# ---- parsing

def split(argv):
    """(our arguments, COMMAND): what stands behind the first -- is not ours to interpret."""
    ours = list(argv)
    command = []
    if "--" in ours:
        at = ours.index("--")
        ours, command = ours[:at], ours[at + 1:]
    # argparse takes `--qemu-arg -device` for two options.
    while "--qemu-arg" in ours[:-1]:
        at = ours.index("--qemu-arg")
        ours[at:at + 2] = [f"--qemu-arg={ours[at + 1]}"]
    return ours, command


def parser():
    top = argparse.ArgumentParser(prog="devtools/lab", description=DESCRIPTION)
    commands = top.add_subparsers(required=True, metavar="run|kernel|shell")

    sub = subcommand(commands, "run", run, "run COMMAND in the machine", IOMMUS + DEVICES)
    sub.usage = "devtools/lab run [OPTION]... -- COMMAND [ARG]..."
    machine_options(sub, timeout=600)

    sub = subcommand(commands, "shell", shell, "an interactive shell (or COMMAND) in the machine",
                     IOMMUS + DEVICES)
    sub.usage = "devtools/lab shell [OPTION]... [-- COMMAND [ARG]...]"
    machine_options(sub, timeout=0)

    sub = subcommand(commands, "kernel", print_kernel,
                     "build or fetch the machine's kernel if needed and print where it is", KERNELS)
    sub.add_argument("name", nargs="?", choices=kernel.NAMES, default="lts")
    sub.add_argument("--arch", choices=ARCHITECTURES, default="amd64", metavar="NAME",
                     help=f"of the processor: {', '.join(ARCHITECTURES)}; default: amd64")
    return top


def subcommand(commands, name, function, text, epilog):
    description = f"{text[0].upper()}{text[1:]}."
    sub = commands.add_parser(name, help=text, description=description, epilog=epilog,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    sub.set_defaults(function=function)
    return sub


def machine_options(sub, timeout):
    add = sub.add_argument
    add("--kernel", choices=kernel.NAMES, default="lts", metavar="NAME",
        help=f"one of {', '.join(kernel.NAMES)}, see devtools/lab kernel --help; default: lts")
    add("--root", type=existing_directory, metavar="DIR",
        help="root of the guest, another Debian for instance; default: /, and with smmuv3 "
             "packages for arm64, fetched into the cache")
    add("--iommu", choices=machine.IOMMUS, default="intel", metavar="NAME",
        help=f"one of {', '.join(machine.IOMMUS)}, see below; default: intel")
    add("--mem", type=size, default="4G", metavar="SIZE", help="with M or G; default: 4G")
    add("--cpus", type=int, default=2, metavar="N", help="default: 2")
    add("--hugepages", type=int, metavar="N", help="of 2 MiB; default: 3/10 of the memory")
    add("--append", action="append", default=[], metavar="KERNEL-ARGS",
        help="for the kernel's command line; may be repeated. With hugepagesz=1G hugepages=N "
             "in it, those are at /dev/hugepages1G")
    add("--qemu-arg", action="append", default=[], metavar="ARG",
        help="one more argument for QEMU; may be repeated")
    add("--timeout", type=float, default=timeout, metavar="SECONDS",
        help=f"0: none; default: {timeout}")


def existing_directory(path):
    if not os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"{path} is not a directory")
    return os.path.realpath(path)


def size(text):
    if not re.fullmatch(r"[1-9][0-9]*[MG]", text):
        raise argparse.ArgumentTypeError(f"{text} is not a number with M or G")
    return text
