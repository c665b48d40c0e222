# SPDX-License-Identifier: BSD-3-Clause
"""Where the plugin under test is, and how programs are put under it."""

import os

# devtools/test names the one it has built; the default is for runs by hand.
PLUGIN = os.environ.get("DPDK_IOASID_PLUGIN",
                        os.path.abspath("build/test-gcc/drivers/iommu/ioasid/librte_iommu_ioasid.so"))
# Where the fixture "installed" puts it: EAL's -d refuses what others may write to, as a checkout
# below /tmp.
INSTALLED = "/usr/local/lib/librte_iommu_ioasid.so"


def environment(preload=True, more=None):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("DPDK_IOASID_")}
    if preload:
        env["LD_PRELOAD"] = PLUGIN
    env.update(more or {})
    return env
