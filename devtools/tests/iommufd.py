# SPDX-License-Identifier: BSD-3-Clause
"""A client of the kernel's iommufd that shares no code with the plugin."""

import errno
import fcntl
import os
import struct

import pci

IOMMUFD, VFIO_BASE = ord(";") << 8, (ord(";") << 8) + 100
IOAS_ALLOC, IOAS_MAP, IOAS_UNMAP = IOMMUFD + 0x81, IOMMUFD + 0x85, IOMMUFD + 0x86
IOAS_MAP_FILE = IOMMUFD + 0x8f
BIND, ATTACH = VFIO_BASE + 18, VFIO_BASE + 19
FIXED_IOVA, WRITEABLE, READABLE = 1, 2, 4


class Iommufd:
    def __init__(self):
        self.fd = os.open("/dev/iommu", os.O_RDWR | os.O_CLOEXEC)
        self.devices = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for fd in self.devices:
            os.close(fd)
        os.close(self.fd)

    def bind(self, bdf):
        """Join a device; its fd."""
        fd = os.open(pci.cdev(bdf), os.O_RDWR | os.O_CLOEXEC)
        self.devices.append(fd)
        fcntl.ioctl(fd, BIND, struct.pack("=IIiI", 16, 0, self.fd, 0))
        return fd

    def attach(self, device_fd, ioas):
        fcntl.ioctl(device_fd, ATTACH, struct.pack("=III", 12, 0, ioas))

    def ioas(self):
        reply = fcntl.ioctl(self.fd, IOAS_ALLOC, struct.pack("=III", 12, 0, 0))
        return struct.unpack("=III", reply)[2]

    def map(self, ioas, va, iova, length):
        fcntl.ioctl(self.fd, IOAS_MAP, struct.pack(
            "=IIIIQQQ", 40, FIXED_IOVA | WRITEABLE | READABLE, ioas, 0, va, length, iova))


def has_map_file():
    """Whether the kernel maps by file (Linux 6.13): asked with flags that it must refuse."""
    with open("/dev/iommu", "rb+", buffering=0) as iommu:
        try:
            fcntl.ioctl(iommu, IOAS_MAP_FILE, struct.pack("=IIIiQQQ", 40, 0xffffffff, 0, -1, 0, 0, 0))
        except OSError as error:
            return error.errno == errno.EOPNOTSUPP
    raise AssertionError("flags that do not exist were accepted")
