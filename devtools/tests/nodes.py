# SPDX-License-Identifier: BSD-3-Clause
"""/dev/iommu and its alias."""

import contextlib
import os


@contextlib.contextmanager
def away():
    """As on a kernel that has no iommufd, or in a container that was not given them; this kernel
    may be one."""
    if not os.path.exists("/dev/iommu"):
        yield
        return
    os.rename("/dev/iommu", "/dev/iommu.away")
    os.unlink("/dev/ioasid")
    try:
        yield
    finally:
        os.rename("/dev/iommu.away", "/dev/iommu")
        os.symlink("iommu", "/dev/ioasid")
