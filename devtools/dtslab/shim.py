# SPDX-License-Identifier: BSD-3-Clause
"""What DTS takes for the directory of a DPDK build: one with the plugin, one without."""

import glob
import os
import subprocess

TREES = {"plugin": "/opt/dts/plugin", "stock": "/opt/dts/stock"}


def make(build):
    """Both, on the SUT; build is the plugin's build directory."""
    version = subprocess.run(["pkg-config", "--modversion", "libdpdk"], check=True, text=True,
                             capture_output=True).stdout
    plugin = os.path.join(build, "drivers/iommu/ioasid/librte_iommu_ioasid.so")
    tree(TREES["plugin"], version, f"LD_PRELOAD={plugin} exec")
    tree(TREES["stock"], version, "exec")


def tree(directory, version, start):
    apps = os.path.join(directory, "build/app")
    os.makedirs(apps)
    with open(os.path.join(directory, "VERSION"), "w", encoding="ascii") as file:
        file.write(version)
    for program in glob.glob("/usr/bin/dpdk-*"):
        path = os.path.join(apps, os.path.basename(program))
        with open(path, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\n{start} {program} "$@"\n')
        os.chmod(path, 0o755)
