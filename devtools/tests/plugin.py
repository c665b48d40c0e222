# SPDX-License-Identifier: BSD-3-Clause
"""Where the plugin under test is, and how programs are put under it."""

import os
import re
import shutil
import subprocess

# In the machine only: where programs and libraries of the build are taken to.
PLACE = "/usr/local/lib/dpdk-ioasid-build"


def in_place(path):
    """The same file of the same build, where each user reaches it, and by a path that LD_PRELOAD can
    name: the checkout may lie in root's home, or below a directory with a space in its name."""
    if "LAB_NIC0" not in os.environ:
        return path
    build = os.path.abspath(os.path.join(os.path.dirname(path), "../../.."))
    if not os.path.exists(PLACE):
        for directory, inner, names in os.walk(build):
            # What meson keeps for itself, objects above all.
            inner[:] = [name for name in inner if not name.startswith("meson-") and
                        not name.endswith(".p")]
            for name in names:
                source = os.path.join(directory, name)
                if name.endswith(".service") or (os.access(source, os.X_OK) and
                                                 not name.startswith("test_")):
                    target = os.path.join(PLACE, os.path.relpath(source, build))
                    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
                    shutil.copyfile(source, target, follow_symlinks=False)
                    if not os.path.islink(target):
                        os.chmod(target, 0o755)
    return os.path.join(PLACE, os.path.relpath(path, build))


# devtools/test names the one it has built; the default is for runs by hand.
PLUGIN = in_place(os.environ.get(
    "DPDK_IOASID_PLUGIN",
    os.path.abspath("build/test-gcc/drivers/iommu/ioasid/librte_iommu_ioasid.so")))
# Where the fixture "installed" puts it: EAL's -d refuses what others may write to, as a checkout
# below /tmp.
INSTALLED = "/usr/local/lib/librte_iommu_ioasid.so"

BUILD = os.path.abspath(os.path.join(os.path.dirname(PLUGIN), "../../.."))
COMMAND = os.path.join(BUILD, "app/dpdk-ioasid/dpdk-ioasid")


def library_path(*directories):
    """For the environment: these before what the tests themselves run with (another DPDK)."""
    inherited = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": ":".join([*directories, *([inherited] if inherited else [])])}


def environment(preload=True, more=None):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("DPDK_IOASID_")}
    if preload:
        env["LD_PRELOAD"] = PLUGIN
    env.update(more or {})
    return env


def library(name):
    """The file of a library that testpmd is loaded with: "librte_eal"."""
    text = subprocess.run(["ldd", shutil.which("dpdk-testpmd")], capture_output=True, text=True,
                          check=True).stdout
    return os.path.realpath(re.search(rf"{name}\.so\S* => (\S+)", text)[1])


def eal_calls_itself_directly():
    """As Ubuntu links it: there is nothing to redirect in it (devtools/relink-eal)."""
    text = subprocess.run(["readelf", "-rW", library("librte_eal")], capture_output=True,
                          text=True, check=True).stdout
    assert "dlopen" in text
    return " rte_vfio_" not in text


def abi():
    """Of the DPDK that is tested: 23 for 22.11, 26 for 25.11."""
    return int(re.search(r"librte_eal\.so\.(\d+)", library("librte_eal"))[1])
