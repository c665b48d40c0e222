# SPDX-License-Identifier: BSD-3-Clause
"""A program that attaches a device with the kernel's calls, and shares no code with the plugin.

    attach.py cdev|group BDF
    attach.py late BDF           by the group, in two steps: the second after a line on stdin

Prints "attached", or the call that failed and its errno; then waits for the end of stdin.
"""

import errno
import fcntl
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

# pylint: disable=wrong-import-position
import pci
from iommufd import VFIO_BASE, Iommufd

SET_IOMMU, SET_CONTAINER, GET_DEVICE_FD = VFIO_BASE + 2, VFIO_BASE + 4, VFIO_BASE + 6
TYPE1 = 1


class Refused(Exception):
    """A call failed; its text says which, and how."""


def call(what, function, *args):
    try:
        return function(*args)
    except OSError as error:
        raise Refused(f"{what} {errno.errorcode[error.errno]}") from error


def open_group(bdf):
    return os.open(f"/dev/vfio/{pci.group(bdf)}", os.O_RDWR | os.O_CLOEXEC)


def open_container():
    return os.open("/dev/vfio/vfio", os.O_RDWR | os.O_CLOEXEC)


def set_container(group, container):
    call("SET_CONTAINER", fcntl.ioctl, group, SET_CONTAINER, struct.pack("=i", container))


def use_group(group, container, bdf):
    call("SET_IOMMU", fcntl.ioctl, container, SET_IOMMU, TYPE1)
    return call("GET_DEVICE_FD", fcntl.ioctl, group, GET_DEVICE_FD, bdf.encode() + b"\0")


def by_group(bdf):
    group, container = open_group(bdf), open_container()
    set_container(group, container)
    use_group(group, container, bdf)


def late(bdf):
    group, container = open_group(bdf), open_container()
    set_container(group, container)
    print("in a container", flush=True)
    sys.stdin.readline()
    use_group(group, container, bdf)


def by_cdev(bdf):
    iommufd = Iommufd()
    device = iommufd.bind(bdf)
    call("ATTACH", iommufd.attach, device, iommufd.ioas())
    return iommufd


def main():
    way, bdf = sys.argv[1:]
    try:
        kept = {"cdev": by_cdev, "group": by_group, "late": late}[way](bdf)
    except Refused as why:
        print(why, flush=True)
        return
    print("attached", flush=True)
    sys.stdin.read()
    del kept


if __name__ == "__main__":
    main()
