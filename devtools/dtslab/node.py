#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""In a guest: make it a machine that DTS can log into, say "ready BDF BDF", and serve ssh."""

import glob
import os
import subprocess
import sys

sys.dont_write_bytecode = True  # nothing of ours lands in the checkout
DEVTOOLS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [DEVTOOLS, os.path.join(DEVTOOLS, "tests")]

from drivers import Drivers  # noqa: E402 (its place is known only now)
from dtslab import machines, perf, shim  # noqa: E402 (their place is known only now)

# Of the virtual devices that the suites make.
DRIVERS = {"net_af_packet", "net_softnic", "net_tap", "net_vhost", "net_virtio"}
# DTS gives a shell five seconds to start, testpmd too, and the first start of a program takes its
# time here: all of it comes from the host, file by file.
WARM_UP = {"sut": [["sudo", "lshw", "-quiet", "-C", "network"], ["dpdk-testpmd", "--help"],
                   ["dpdk-dumpcap", "--help"], ["dpdk-devbind.py", "--status"]],
           "tg": [["sudo", "python3", "-c", "from scapy.all import *"],
                  ["lshw", "-quiet", "-C", "network"]]}
SSHD = ["/usr/sbin/sshd", "-D", "-o", "UsePAM=no", "-o", "MaxSessions=100",
        "-o", "MaxStartups=100"]


def main(role):
    user(os.environ["DPDK_IOASID_DTS_KEY"])
    network()
    if role == "sut":
        # The lab's own NICs: a testpmd without -a would take them, too.
        for name in ("LAB_NIC0", "LAB_NIC1"):
            write(f"/sys/bus/pci/devices/{os.environ[name]}/driver/unbind", os.environ[name])
        Drivers(DRIVERS).offer_few()
        shim.make(os.environ["DPDK_IOASID_DTS_BUILD"])
    else:
        generator()
    for command in WARM_UP[role]:
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    os.makedirs("/run/sshd", exist_ok=True)
    print("ready", *(behind(slot) for slot in machines.SLOTS), flush=True)
    os.execv(SSHD[0], SSHD)


def user(key):
    """With a key and all rights, as DTS's documentation asks for."""
    # sshd without PAM refuses a locked account, and new ones are: hence a password, which
    # nothing matches.
    run("useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", machines.USER)
    home = os.path.expanduser(f"~{machines.USER}")
    os.mkdir(f"{home}/.ssh")
    write(f"{home}/.ssh/authorized_keys", key + "\n")
    run("chown", "-R", f"{machines.USER}:", home)
    write("/etc/sudoers.d/dts", f"{machines.USER} ALL=(ALL) NOPASSWD: ALL\n"
          "Defaults env_file=/etc/dts-environment\n")
    # Python 3.13 colours its prompt otherwise, and DTS never sees it.
    write("/etc/dts-environment", "PYTHON_BASIC_REPL=1\n")
    os.chmod("/etc/sudoers.d/dts", 0o440)
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write("127.0.0.1 localhost lab\n")  # sudo complains of a name it cannot look up


def network():
    """The addresses of QEMU's user network; only the host speaks to us there."""
    [name] = os.listdir(f"/sys/bus/pci/devices/{behind(machines.SLOT_MANAGEMENT)}/net")
    run("ip", "address", "add", "10.0.2.15/24", "dev", name)
    run("ip", "link", "set", name, "up")


def generator():
    """In TRex's language, which the stand-in reads as well."""
    bdfs = ", ".join(f'"{behind(slot).removeprefix("0000:")}"' for slot in machines.SLOTS)
    write(perf.TREX_CONFIG, f"- port_limit: 2\n  version: 2\n  interfaces: [{bdfs}]\n")


def behind(slot):
    [path] = glob.glob(f"/sys/bus/pci/devices/0000:00:{int(slot, 16):02x}.0/0000:*:00.0")
    return os.path.basename(path)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def run(*command):
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1])
