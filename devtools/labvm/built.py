# SPDX-License-Identifier: BSD-3-Clause
"""Debian's kernels have no iommufd, so the lab builds its own from Debian's source packages.

A build takes 6 to 8 minutes on two cores (half as long again with BTF, half as long for the demo) and
is kept in the cache under a name made of the source's version and a hash of the options, so it is
done again when either changes.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import time
from typing import NamedTuple

from .apt import ASK_AGAIN_AFTER
from .architecture import Architecture
from .common import (ENVIRONMENT, LABVM, LabError, available_memory, cache_dir, die_with_parent,
                     lock, output, output_in, say)


class Kernel(NamedTuple):
    """packages: of them the newest is the source; suite: that it must come from; defaults: beside
    what the fragment asks for, whether there is what Linux recommends with that."""

    packages: str
    suite: str = ""
    defaults: bool = True


LTS = Kernel(r"linux-source-6\.12$")
KERNELS = {
    "lts": LTS,
    "latest": Kernel(r"linux-source-\d+\.\d+$", "trixie-backports/"),
    "lts-modules": LTS,
    "lts-groups": LTS,
    "lts-cdevs": LTS,
    "demo": LTS._replace(defaults=False),
}

FRAGMENT = os.path.join(LABVM, "kernel.config")
TOOLS = ("apt-cache", "apt-get", "bc", "bison", "dpkg-deb", "flex", "gcc", "make", "pahole", "perl",
         "tar", "xz")
DISK_NEEDED = 4 << 30    # unpacked source 1.8 GB, archive 0.4 GB, objects 0.5 GB, and air
MEMORY_NEEDED = 1 << 30
PROGRESS_EVERY = 30


class Target(NamedTuple):
    """A kernel for a processor, and the options that the fragment has for it."""

    name: str
    architecture: Architecture
    options: tuple[str, ...]

    def has_modules(self):
        return any(line.endswith("=m") for line in self.options)

    def key(self, package, version):
        digest = hashlib.sha256("\n".join(self.options).encode()).hexdigest()[:12]
        return f"{package}_{version}_{digest}"

    def image(self, package, version):
        return os.path.join(cache_dir("kernel"), self.key(package, version),
                            self.architecture.image)

    def note(self):
        """Where it is noted which image is in use."""
        return os.path.join(cache_dir("kernel"), f"{self.name}.{self.architecture.name}")


def find(name, architecture):
    """(image, directory for /lib/modules or None) of the kernel, built first if need be."""
    image = image_of(Target(name, architecture, tuple(options(name, architecture))))
    modules = os.path.join(os.path.dirname(image), "lib/modules")
    return image, modules if os.path.exists(modules) else None


def image_of(target):
    image = remembered(target)
    if image:
        return image
    try:
        package, version = newest_source(target)
        image = build(target, package, version)
    except LabError as error:
        image = newest_built(target)
        if not image:
            raise
        say(f"{error}; going on with {image}")
        return image
    remember(target, package, version)
    return image


def options(name, architecture):
    """The lines of the fragment that are for this kernel; an option's last one counts."""
    called = {name, architecture.name}
    lines = {}
    with open(FRAGMENT, encoding="ascii") as fragment:
        for line in fragment:
            found = re.match(r"(?:\[(.+)\] )?((CONFIG_\w+)=.*)", line)
            if found and is_for(called, (found[1] or "").split()):
                lines[found[3]] = found[2]
    return list(lines.values())


def is_for(called, words):
    """Of a line with these words before it, or none, and a kernel that is called so."""
    others = {word[1:] for word in words if word.startswith("-")}
    these = {word for word in words if not word.startswith("-")}
    return not called & others and bool(not these or called & these)


# ---- which source

def remembered(target):
    """The image in use, unless it is time to ask apt again: apt takes a second each time."""
    try:
        if time.time() - os.stat(target.note()).st_mtime > ASK_AGAIN_AFTER:
            return None
        with open(target.note(), encoding="ascii") as file:
            image = target.image(*file.read().split())
    except (OSError, TypeError):
        return None
    return image if os.path.exists(image) else None


def remember(target, package, version):
    note = target.note()
    with open(f"{note}.{os.getpid()}", "w", encoding="ascii") as file:
        file.write(f"{package} {version}\n")
    os.replace(file.name, note)


def newest_source(target):
    """(package, version), from the lists apt has; no network needed."""
    kernel = KERNELS[target.name]
    need_tools(target.architecture)
    names = [n for n in output("apt-cache", "pkgnames", "linux-source-").split()
             if re.match(kernel.packages, n)]
    names.sort(key=source_number, reverse=True)
    # madison prints "package | version | where", the newest version of a package first.
    rows = output("apt-cache", "madison", *names).splitlines() if names else []
    versions = {}
    for row in rows:
        package, version, where = (field.strip() for field in row.split("|"))
        if kernel.suite in where:
            versions.setdefault(package, version)
    for package in names:
        if package in versions:
            return package, versions[package]
    raise LabError(f"apt knows no package for kernel '{target.name}' "
                   f"({kernel.packages.rstrip('$')} {kernel.suite.rstrip('/')}): run devtools/setup")


def source_number(package):
    """7.10 is newer than 7.9."""
    return [int(part) for part in package.rpartition("-")[2].split(".")]


def newest_built(target):
    """The image of these options that was built last, whatever its version."""
    packages = KERNELS[target.name].packages
    images = [image for image in glob.glob(target.image("*", "*"))
              if re.match(packages, os.path.basename(os.path.dirname(image)).split("_")[0])]
    return max(images, key=os.path.getmtime, default=None)


# ---- building

def build(target, package, version):
    image, key = target.image(package, version), target.key(package, version)
    with lock(os.path.join(cache_dir("kernel"), f"{key}.lock"),
              "waiting for another lab that is building this kernel"):
        if os.path.exists(image):  # whoever held the lock before us built it
            return image
        need_room()
        tree = os.path.join(cache_dir("kernel"), f"build-{key}")
        started = time.monotonic()
        try:
            shutil.rmtree(tree, ignore_errors=True)  # a build that was killed
            unpack(package, version, tree)
            configure(target, package, tree)
            compile_image(target, version, tree)
            keep(target, tree, os.path.dirname(image))
        finally:
            shutil.rmtree(tree, ignore_errors=True)
        say(f"kernel {target.name} ({version}) built in {minutes(started)}")
    return image


def need_tools(architecture):
    missing = [tool for tool in (*TOOLS, architecture.compiler)
               if not shutil.which(tool, path=ENVIRONMENT["PATH"])]
    if not os.path.exists("/usr/include/gelf.h"):
        missing.append("gelf.h")
    if missing:
        raise LabError(f"building the kernel needs {', '.join(missing)}: run devtools/setup")


def need_room():
    where = cache_dir("kernel")
    free = shutil.disk_usage(where).free
    if free < DISK_NEEDED:
        raise LabError(f"building a kernel needs {DISK_NEEDED >> 30} GiB in {where}, "
                       f"{free >> 20} MiB are free: make room or set DPDK_IOASID_CACHE")
    available = available_memory()
    if available < MEMORY_NEEDED:
        raise LabError(f"building a kernel needs {MEMORY_NEEDED >> 20} MiB of memory, "
                       f"{available >> 20} MiB are available: end other programs")


def unpack(package, version, tree):
    """The source into tree; the downloaded archives go as soon as they are unpacked."""
    say(f"fetching {package} {version}")
    archives = os.path.join(tree, "archives")
    os.makedirs(archives)
    # apt's sandbox user may not write here; without the option that is a warning every time.
    output_in(archives, "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download",
              f"{package}={version}", hint="apt-get update, then again")
    output_in(archives, "dpkg-deb", "-x", glob.glob(f"{archives}/*.deb")[0], ".")
    say(f"unpacking {package}")
    output_in(archives, "tar", "-C", tree, "--strip-components=1", "-xf",
              f"usr/src/{package}.tar.xz")
    shutil.rmtree(archives)


def configure(target, package, tree):
    make, defaults = ("make", *target.architecture.make), KERNELS[target.name].defaults
    fragment, wanted = os.path.join(tree, "wanted"), "\n".join(target.options) + "\n"
    with open(fragment, "w", encoding="ascii") as file:
        file.write(wanted)
    output_in(tree, *make, "allnoconfig",
              *([] if defaults else [f"KCONFIG_ALLCONFIG={fragment}"]))
    if defaults:
        with open(os.path.join(tree, ".config"), "a", encoding="ascii") as config:
            config.write(wanted)
        output_in(tree, *make, "olddefconfig")
    with open(os.path.join(tree, ".config"), encoding="ascii") as config:
        got = set(re.findall(r"^CONFIG_\w+=.*", config.read(), re.MULTILINE))
    lost = [line for line in target.options if not kept(line, got)]
    if lost:
        raise LabError(f"{package} does not take these options of {FRAGMENT} "
                       f"(unknown to it, or something they depend on is missing): {' '.join(lost)}")


def kept(line, got):
    """What is off is a comment in .config, or absent if nothing it depends on is on."""
    option, _, value = line.partition("=")
    if value == "n":
        return not any(other.startswith(f"{option}=") for other in got)
    return line in got


def compile_image(target, version, tree):
    name, architecture = target.name, target.architecture
    log = os.path.join(cache_dir("log"), f"kernel-{name}.{architecture.name}.log")
    say(f"building kernel {name} ({version}, {architecture.name}), up to 8 minutes on two cores; "
        f"log: {log}")
    started = time.monotonic()
    with open(log, "wb") as file:
        make = subprocess.Popen(["make", *architecture.make, f"-j{os.cpu_count()}",
                                 architecture.image,
                                 *(["modules"] if target.has_modules() else [])],
                                cwd=tree, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=file,
                                stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        try:
            while not ended(make, PROGRESS_EVERY):
                with open(log, "rb") as written:
                    objects = written.read().count(b"\n  CC ")
                say(f"kernel {name}: {objects} objects after {minutes(started)}")
        finally:
            make.terminate()  # make takes its children along; nothing once it has ended
            make.wait()
    if make.returncode:
        with open(log, errors="replace", encoding="utf-8") as file:
            tail = "".join(file.readlines()[-20:])
        raise LabError(f"building kernel {name} failed, the whole log is {log}\n{tail}")


def ended(process, seconds):
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


def keep(target, tree, directory):
    """Into the cache in one step, so that nobody sees half an image."""
    new = os.path.join(tree, "result")
    os.mkdir(new)
    if target.has_modules():
        install_modules(target, tree, new)
    shutil.move(os.path.join(tree, target.architecture.image_path), new)
    shutil.move(os.path.join(tree, ".config"), os.path.join(new, "config"))
    os.replace(new, directory)


def install_modules(target, tree, new):
    output_in(tree, "make", *target.architecture.make, "modules_install",
              f"INSTALL_MOD_PATH={new}", "INSTALL_MOD_STRIP=1")
    [build_link] = glob.glob(os.path.join(new, "lib/modules/*/build"))
    os.unlink(build_link)  # the tree goes


def minutes(started):
    seconds = int(time.monotonic() - started)
    return f"{seconds // 60} min {seconds % 60:02} s"
