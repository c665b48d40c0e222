# SPDX-License-Identifier: BSD-3-Clause
"""Other Debians than this machine's, for other versions of DPDK: installed into directories of
the cache, to build in (see enter()) and to boot (lab run --root)."""

import hashlib
import os
import re
import shutil
import subprocess

from .common import CHECKOUT, LabError, cache_dir, lock, say

# Version of DPDK: the suite that has it.
SUITES = {"24.11": "trixie", "25.11": "forky"}

PACKAGES = """
    build-essential meson ninja-build pkg-config libdpdk-dev libnuma-dev libbsd-dev libcmocka-dev
    libudev-dev libelf-dev libjansson-dev libmount-dev libpci-dev libyaml-dev
    python3 python3-jsonschema python3-pyelftools python3-pytest dpdk dpdk-dev
    iproute2 kmod pciutils procps strace
""".split()

DISK_NEEDED = 4 << 30
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
               "DEBIAN_FRONTEND": "noninteractive"}

# Its mounts are gone with it, however it ends. pivot_root and not chroot: in a chroot /proc
# tells other paths than in a real root.
# Arguments: the root, how many directories are to be seen in it at the same path, those (one may
# lie in another), the command, which is run in the first.
ENTER = """
    root=$1 count=$2 first=$3
    shift 2
    mount --bind "$root" "$root"
    cd "$root"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount --rbind /dev dev
    mount -t tmpfs -o mode=1777 tmpfs tmp
    while [ "$count" -gt 0 ]; do
        mkdir -p ".$1"
        mount --rbind "$1" ".$1"
        shift
        count=$((count - 1))
    done
    pivot_root . .
    umount -l .
    cd "$first"
    exec "$@"
"""


def find(version, more=()):
    """The root with that DPDK, installed first if need be, and which DPDK it is exactly.

    more: packages that are needed in it beside PACKAGES.
    """
    suite = SUITES[version]
    packages = [*PACKAGES, *more]
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    root = os.path.join(cache_dir("root"), f"{suite}_{digest}")
    with lock(f"{root}.lock", f"waiting for another who installs {suite}"):
        if not os.path.exists(root):
            install(suite, packages, root)
    found = output(enter(root, "pkg-config", "--modversion", "libdpdk")).strip()
    if not found.startswith(f"{version}."):
        raise LabError(f"Debian {suite} in {root} has DPDK {found}, not {version}: "
                       f"name the suite that has it in {__file__}")
    return root, found


def enter(root, *command, directories=()):
    """The command, to be run with that root as /, in the checkout, which is at the same path,
    as are the other directories."""
    seen = [CHECKOUT, *directories]
    return ["env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items()),
            *private_mounts("sh", "-ec", ENTER, "sh", root, str(len(seen)), *seen, *command)]


def private_mounts(*command):
    return ["unshare", "--mount", "--propagation", "private", *command]


def install(suite, packages, root):
    need_root_and_room()
    new = f"{root}.new"
    shutil.rmtree(new, ignore_errors=True)  # an installation that was killed
    say(f"installing Debian {suite} into {root}, some minutes")
    # debootstrap need not know the suite: those of our days are all made in the same way.
    output(private_mounts("debootstrap", "--variant=minbase", "--include=ca-certificates", suite,
                          new, mirror(), "/usr/share/debootstrap/scripts/sid"))
    with open(os.path.join(new, "etc/apt/apt.conf.d/90host"), "w", encoding="utf-8") as config:
        config.write(fetching())
    say(f"installing packages into Debian {suite}")
    output(enter(new, "apt-get", "-q", "update"))
    output(enter(new, "apt-get", "-q", "-y", "--no-install-recommends", "install", *packages))
    output(enter(new, "apt-get", "clean"))
    os.rename(new, root)


def need_root_and_room():
    if os.geteuid() != 0:
        raise LabError("installing another Debian needs root")
    if not shutil.which("debootstrap", path=ENVIRONMENT["PATH"]):
        raise LabError("debootstrap is missing: run devtools/setup")
    free = shutil.disk_usage(cache_dir("root")).free
    if free < DISK_NEEDED:
        raise LabError(f"another Debian needs {DISK_NEEDED >> 30} GiB in {cache_dir('root')}, "
                       f"{free >> 20} MiB are free: make room or set DPDK_IOASID_CACHE")


def mirror():
    """Where this machine's own Debian comes from."""
    text = output(["apt-get", "indextargets", "--no-release-info", "--format",
                   "$(RELEASE) $(REPO_URI)", "Created-By: Packages", "Component: main"])
    found = re.search(r"^(?:bookworm|oldstable) (\S+)$", text, re.M)
    if not found:
        raise LabError("apt has no source for bookworm main: cannot tell where other Debians are")
    return found[1]


def fetching():
    """This machine's settings of apt that matter for fetching, proxies for instance."""
    lines = output(["apt-config", "dump", "--no-empty"]).splitlines(keepends=True)
    return "".join(line for line in lines
                   if re.match(r"Acquire::(https?|Check-[\w-]+|Retries|ForceIPv\d)\b", line))


def output(command):
    result = subprocess.run(command, env=ENVIRONMENT, text=True, check=False,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, errors="replace")
    if result.returncode:
        tail = "\n".join(result.stdout.rstrip().splitlines()[-15:])
        raise LabError(f"{' '.join(command)} failed\n{tail}")
    return result.stdout
