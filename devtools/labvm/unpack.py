# SPDX-License-Identifier: BSD-3-Clause
"""Packages of another Debian with all that they depend on, unpacked into a directory of the cache:
without root's rights, for any architecture, and none of their scripts is run."""

import glob
import os
import shutil
import subprocess

from . import apt, roots
from .common import LabError, cache_dir, lock, output_in, say

DISK_NEEDED = 2 << 30


def find(name, packages, suites, architecture="amd64"):
    """The directory of that name, unpacked first if need be. The packages come from the last of
    the suites where it has them."""
    root = os.path.join(cache_dir("unpacked"), name)
    with lock(f"{root}.lock", f"waiting for another lab that fetches {name}"):
        if not os.path.exists(root):
            fetch(root, packages, suites, architecture)
    return root


def fetch(root, packages, suites, architecture):
    free = shutil.disk_usage(os.path.dirname(root)).free
    if free < DISK_NEEDED:
        raise LabError(f"{os.path.dirname(root)} needs {DISK_NEEDED >> 30} GiB, {free >> 20} MiB "
                       "are free: make room or set DPDK_IOASID_CACHE")
    say(f"fetching {os.path.basename(root)} from Debian {suites[-1]}, a minute")
    new, downloads = f"{root}.new", f"{root}.apt"
    remove(new, downloads)  # a fetch that was killed
    try:
        debs = download(downloads, packages, suites, architecture)
        prepare(new)
        for deb in debs:
            unpack(deb, new)
        settle(new)
        os.rename(new, root)
    finally:
        remove(new, downloads)


def program(name, packages):
    """The directory of some of this machine's Debian's packages, without what they depend on: that is
    installed."""
    root = os.path.join(cache_dir("unpacked"), name)
    with lock(f"{root}.lock", f"waiting for another lab that fetches {name}"):
        if not os.path.exists(root):
            say(f"fetching {name}")
            new = f"{root}.new"
            remove(new)  # a fetch that was killed
            try:
                os.makedirs(new)
                extract(packages, new)
                os.rename(new, root)
            finally:
                remove(new)
    return root


def extract(packages, directory, options=()):
    """Fetch just these of this machine's Debian's packages, or of those that apt knows by the
    options, and unpack them there."""
    output_in(directory, "apt-get", "-q", "-o", "APT::Sandbox::User=root", *options, "download",
              *packages,
              hint="apt-get update, then again")
    for deb in glob.glob(f"{directory}/*.deb"):
        output_in(directory, "dpkg-deb", "-x", deb, ".")
        os.unlink(deb)


def remove(*directories):
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def prepare(root):
    """What no package brings, since Debian's installer makes it."""
    for name in ("bin", "sbin", "lib"):
        os.makedirs(os.path.join(root, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(root, name))
    os.mkdir(os.path.join(root, "tmp"))


def settle(root):
    """What the scripts of base-files and base-passwd do, where they are among the packages."""
    run = os.path.join(root, "var/run")
    if os.path.isdir(run):
        os.rmdir(run)
        os.symlink("/run", run)
    for name in ("passwd", "group"):
        master = os.path.join(root, f"usr/share/base-passwd/{name}.master")
        if os.path.exists(master):
            shutil.copy(master, os.path.join(root, "etc", name))


def unpack(deb, root):
    """Not by dpkg-deb -x, which puts directories in the place of those links."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as archive:
        result = subprocess.run(["tar", "-C", root, "-xp", "--keep-directory-symlink"],
                                stdin=archive.stdout, check=False)
    if result.returncode or archive.returncode:
        raise LabError(f"cannot unpack {os.path.basename(deb)}")


def download(directory, packages, suites, architecture):
    """The packages' files: what apt would install where nothing is installed yet. It keeps all
    that it knows in that directory."""
    sources = [f"deb {roots.mirror()} {suite} main" for suite in suites]
    get = ["apt-get", "-q", *apt.options(directory, architecture, sources)]
    output_in(directory, *get, "update")
    output_in(directory, *get, "-y", "--download-only", "-t", suites[-1], "install", *packages)
    return sorted(glob.glob(f"{directory}/cache/archives/*.deb"))
