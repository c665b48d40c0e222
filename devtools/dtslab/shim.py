# SPDX-License-Identifier: BSD-3-Clause
"""What DTS takes for the directory of a DPDK build: one with the plugin, one without."""

import os
import subprocess

TREES = {"plugin": "/opt/dts/plugin", "stock": "/opt/dts/stock"}


def make(build):
    """Both, on the SUT; build is the plugin's build directory."""
    # The command looks for the plugin where `meson install` would have put it, unless told.
    plugin = os.path.join(build, "drivers/iommu/ioasid/librte_iommu_ioasid.so")
    env = {**os.environ, "DPDK_IOASID_PLUGIN": plugin}
    command = [os.path.join(build, "app/dpdk-ioasid/dpdk-ioasid"), "dts-tree"]
    os.makedirs(os.path.dirname(TREES["plugin"]))
    for who, options in (("plugin", []), ("stock", ["--stock"])):
        subprocess.run([*command, *options, TREES[who]], env=env, check=True)
