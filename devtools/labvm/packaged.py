# SPDX-License-Identifier: BSD-3-Clause
"""Debian's own kernels, as its users boot them: fetched and unpacked, nothing is built.

They have no iommufd, VFIO is a module, and they tell their types (BTF).
"""

import glob
import os
import re
import shutil
from typing import NamedTuple

from . import apt
from .architecture import AMD64
from .common import LabError, cache_dir, lock, output, output_in, say
from .unpack import extract


class Choice(NamedTuple):
    """Packages that stand for a kernel by depending on its parts; the newest version counts."""

    packages: tuple[str, ...]   # {}: the architecture
    version: str    # what it begins with
    suite: str      # that it must be from


KERNELS = {
    "debian-6.1": Choice(("linux-image-{}",), "6.1.", ""),
    # bookworm-backports gave it to its security updates, where it has a name of its own.
    "debian-6.12": Choice(("linux-image-6.12-{}", "linux-image-{}"), "6.12.", ""),
    "debian-latest": Choice(("linux-image-{}",), "", "trixie-backports/"),
}


def find(name, architecture):
    """(image, directory for /lib/modules)."""
    try:
        apt_options = apt.foreign(architecture.name) if architecture is not AMD64 else []
        package, version = newest(name, architecture, apt_options)
    except LabError as error:
        found = newest_fetched(name, architecture)
        if not found:
            raise
        say(f"{error}; going on with {found}")
        return content(found)
    directory = os.path.join(cache_dir("packaged"), f"{name}_{package}_{version}")
    with lock(f"{directory}.lock", "waiting for another lab that fetches this kernel"):
        if not os.path.exists(directory):
            fetch(package, version, directory, apt_options)
    return content(directory)


def content(directory):
    [image] = [path for pattern in ("boot/vmlinuz-*", "lib/modules/*/vmlinuz")
               for path in glob.glob(os.path.join(directory, pattern))]
    return image, os.path.join(directory, "lib/modules")


def newest(name, architecture, apt_options):
    """(package, version), from the lists apt has; no network needed."""
    choice = KERNELS[name]
    packages = [package.format(architecture.name) for package in choice.packages]
    rows = [[field.strip() for field in row.split("|")]
            for row in output("apt-cache", *apt_options, "madison", *packages).splitlines()]
    found = [(package, version) for package, version, where in rows
             if version.startswith(choice.version) and choice.suite in where]
    if not found:
        raise LabError(f"apt knows no package for kernel '{name}': run devtools/setup")
    return max(found, key=lambda row: version_numbers(row[1]))


def version_numbers(version):
    """Enough of Debian's order for the kernel's versions, of which none has an epoch."""
    return [int(number) for number in re.findall(r"\d+", version)]


def newest_fetched(name, architecture):
    found = [path for path in
             glob.glob(os.path.join(cache_dir("packaged"), f"{name}_*-{architecture.name}_*"))
             if os.path.isdir(path) and not path.endswith(".new")]
    return max(found, key=os.path.getmtime, default=None)


def fetch(package, version, directory, apt_options):
    wanted = parts(f"{package}={version}", apt_options)
    say(f"fetching {package} {version}")
    new = f"{directory}.new"
    shutil.rmtree(new, ignore_errors=True)  # a fetch that was killed
    os.makedirs(new)
    try:
        extract(wanted, new, apt_options)
        if not os.path.exists(f"{new}/lib"):  # newer packages know no /lib
            os.symlink("usr/lib", f"{new}/lib")
        [release] = os.listdir(f"{new}/lib/modules")
        output_in(new, "depmod", "-b", new, release)
        os.rename(new, directory)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def parts(package, apt_options):
    """PACKAGE=VERSION of it and of all that it depends on by exact version: those are made from
    the same source, some by one kernel, several by newer ones (linux-binary, linux-modules …)."""
    found = []
    new = [package]
    while new:
        found += new
        text = output("apt-cache", *apt_options, "show", *new)
        depends = " ".join(re.findall(r"^Depends: (.*)", text, re.M))
        new = sorted({f"{name}={version}" for name, version in
                      re.findall(r"(linux-\S+) \(= ([^)]+)\)", depends)}.difference(found))
    return found
