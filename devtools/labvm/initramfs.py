# SPDX-License-Identifier: BSD-3-Clause
"""The initramfs: busybox, the guest's scripts and what this run is to do, as a cpio archive."""

import os
import shlex

from .common import LABVM, LabError


def archive(command, environment, settings, modules, busybox):
    """The whole archive as bytes.

    command     argv of COMMAND, or [] for a shell
    environment what COMMAND finds in its environment
    settings    variables for the guest's scripts
    modules     (name, content) of those to load first, in this order
    busybox     a static one for the guest's processor
    """
    entries = [
        directory("lab"),
        file("init", read(guest("init")), 0o755),
        file("lab/main", read(guest("main")), 0o755),
        file("lab/settings", assignments(settings)),
        file("lab/environment", assignments(environment, "export ")),
        file("lab/command", b"set -- " + quoted(command) + b"\n"),
        file("busybox", read_busybox(busybox), 0o755),
        directory("modules"),
        *(file(f"modules/{number:02}-{name}.ko", content)
          for number, (name, content) in enumerate(modules)),
        entry("TRAILER!!!", b"", 0),
    ]
    return b"".join(entries)


def guest(name):
    return os.path.join(LABVM, "guest", name)


def assignments(variables, prefix=""):
    return b"".join(os.fsencode(f"{prefix}{name}=") + quoted([value]) + b"\n"
                    for name, value in variables.items())


def quoted(words):
    """In single quotes every byte but the quote itself stands for itself, in any shell."""
    return os.fsencode(shlex.join(words))


def read(path):
    with open(path, "rb") as source:
        return source.read()


def read_busybox(path):
    try:
        return read(path)
    except FileNotFoundError as error:
        raise LabError(f"{path} is missing: run devtools/setup") from error


# ---- the "newc" format: 110 bytes of header, name, content, each padded to 4

def directory(name):
    return entry(name, b"", 0o040755)


def file(name, content, mode=0o644):
    return entry(name, content, 0o100000 | mode)


def entry(name, content, mode):
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return padded(header + encoded) + padded(content)


def padded(data):
    return data + b"\0" * (-len(data) % 4)
