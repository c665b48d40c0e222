# SPDX-License-Identifier: BSD-3-Clause
"""The Debian package in a life: installed, used, removed without a trace."""

import glob
import grp
import os
import shutil
import subprocess

import pytest

from testpmd import Testpmd, allow

# dpkg lets ldconfig look at libraries, which forgets those that are out of sight: all drivers are there.
pytestmark = [pytest.mark.usefixtures("all_drivers", "no_faults", "no_leftovers"),
              pytest.mark.one_kernel]

PACKAGES = os.environ.get("DPDK_IOASID_PACKAGES")
NAMES = ("dpdk-ioasid", "dpdk-ioasid-doc", "libdpdk-ioasid-dev")
# Where packages put files, and what dpkg, adduser and ldconfig keep. One level of these, all
# below those.
SOME = ("/", "/usr", "/usr/bin", "/usr/lib", "/usr/lib/*-linux-gnu", "/usr/lib/*-linux-gnu/pkgconfig",
        "/usr/share", "/usr/share/doc", "/usr/share/lintian/overrides", "/var", "/var/lib")
ALL = ("/etc", "/usr/lib/sysusers.d", "/usr/lib/udev", "/usr/share/bash-completion",
       "/usr/share/man/man[17]", "/usr/share/doc-base", "/var/lib/dpkg")
# Copies of what was before, which may be new.
BACKUPS = ("-", "-old")


def files():
    found = {os.path.join(place, name) for pattern in SOME for place in glob.glob(pattern)
             for name in os.listdir(place)}
    for pattern in ALL:
        for place in glob.glob(pattern):
            for directory, directories, names in os.walk(place):
                found.update(os.path.join(directory, name) for name in directories + names)
    return {path for path in found if not path.endswith(BACKUPS)}


def state():
    """What is to be the same before and after."""
    with open("/etc/group", encoding="ascii") as group:
        return files(), group.read()


def dpkg(*args):
    # man-db would index all man pages of the system: minutes, on an emulated processor.
    if os.path.exists("/var/lib/man-db/auto-update"):
        os.unlink("/var/lib/man-db/auto-update")
    result = subprocess.run(["dpkg", "--force-unsafe-io", *args], text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    print(result.stdout)
    assert result.returncode == 0


def installed(name):
    """A package's files, links included."""
    return [path for path in subprocess.run(["dpkg", "-L", name], text=True, check=True,
                                            stdout=subprocess.PIPE).stdout.splitlines()
            if not os.path.isdir(path)]


def test_package(lab, all_drivers):
    if not PACKAGES:
        pytest.skip("no package was built: devtools/test builds one")
    before = state()
    dpkg("-i", *(path for name in NAMES for path in glob.glob(f"{PACKAGES}/{name}_*.deb")))
    try:
        check_installed()
        check_run(lab)
        check_d(lab)
        # As udev does it.
        os.chown("/dev/iommu", 0, grp.getgrnam("vfio").gr_gid)
    finally:
        shutil.rmtree("/run/dpdk", ignore_errors=True)
        dpkg("-P", *NAMES)
    after = state()
    # Else it would be that of whoever gets the number next.
    assert os.stat("/dev/iommu").st_gid == 0
    assert after[0] == before[0]
    assert after[1] == before[1]


def test_package_leaves_a_group_that_was_there(lab):
    if not PACKAGES:
        pytest.skip("no package was built: devtools/test builds one")
    subprocess.run(["groupadd", "--system", "vfio"], check=True)
    try:
        dpkg("-i", *glob.glob(f"{PACKAGES}/dpdk-ioasid_*.deb"))
        dpkg("-P", "dpdk-ioasid")
        assert grp.getgrnam("vfio")
    finally:
        subprocess.run(["groupdel", "vfio"], check=True)


def check_installed():
    paths = installed("dpdk-ioasid")
    for path in paths:
        assert os.path.exists(path)
    assert "/usr/lib/udev/rules.d/60-dpdk-ioasid.rules" in paths
    assert grp.getgrnam("vfio")
    for section in ("1", "7"):
        text = subprocess.run(["man", section, "dpdk-ioasid"], text=True, check=True,
                              stdout=subprocess.PIPE).stdout
        assert "IOMMU" in text
    assert os.path.exists("/usr/share/doc/dpdk-ioasid/html/index.html")
    subprocess.run(["pkg-config", "--exists", "dpdk-ioasid", "dpdk-ioasid-static"], check=True)


def plugin_of(testpmd):
    with open(f"/proc/{testpmd.pid}/maps", encoding="ascii") as maps:
        return {line.split()[-1] for line in maps if "librte_iommu_ioasid" in line}


def check_run(lab):
    """The demo's first case, as a user types it."""
    with Testpmd(*allow(lab.NIC0, lab.NIC1), "--iova-mode=va", "-m", "512", preload=False,
                 wrapper=["dpdk-ioasid", "run", "--"]) as testpmd:
        testpmd.started()
        assert plugin_of(testpmd) == set(glob.glob("/usr/lib/*/librte_iommu_ioasid.so"))
        assert "512 MiB of DPDK's memory mapped by 1 call(s)" in testpmd.output
        for stats in testpmd.forward(100_000).values():
            assert stats["RX-packets"] >= 100_000
            assert stats["RX-errors"] == 0
        testpmd.quit()


def check_d(lab):
    """EAL finds the plugin by its name."""
    with Testpmd(*allow(lab.NIC0), "-d", "librte_iommu_ioasid.so", "--iova-mode=va", "-m", "128",
                 preload=False, app=["--disable-device-start", "--port-topology=chained"]) as testpmd:
        testpmd.started()
        assert f"IOASID: {lab.NIC0}: IOMMU group" in testpmd.output
        testpmd.quit()
