# SPDX-License-Identifier: BSD-3-Clause
"""Where the guard cannot be: it says what is missing and what helps, and leaves nothing."""

import os
import subprocess

import pytest

import plugin
from programs import PINS

TYPES = "/sys/kernel/btf/vmlinux"
LOCKDOWN = "/sys/kernel/security/lockdown"
needs_types = pytest.mark.skipif(not os.path.exists(TYPES),
                                 reason="this kernel does not tell its types (BTF)")


def refused(guard, text, wrapper=()):
    output = guard.run("start", f"--config={guard.config}", status=1, wrapper=wrapper)
    print(output)
    assert text in output
    assert not os.path.exists(PINS)


@pytest.mark.skipif(os.path.exists(TYPES), reason="this kernel tells its types (BTF)")
def test_kernel_without_types(no_guard):
    refused(no_guard, "it needs CONFIG_DEBUG_INFO_BTF")
    assert "guard: none" in no_guard.run("status", status=1)


@needs_types
def test_no_bpf_file_system(no_guard):
    subprocess.run(["umount", "/sys/fs/bpf"], check=True)
    try:
        refused(no_guard, "mount -t bpf bpf /sys/fs/bpf")
    finally:
        subprocess.run(["mount", "-t", "bpf", "-o", "mode=700", "bpf", "/sys/fs/bpf"], check=True)


@needs_types
def test_not_root(no_guard):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    refused(no_guard, "only root can give programs to the kernel", nobody)
    assert "only root can see it" in no_guard.run("status", status=1, wrapper=nobody)


@needs_types
def test_kernel_takes_no_programs(no_guard):
    """As where a verifier or a security module refuses: here root without its capabilities."""
    refused(no_guard, "the kernel does not take the guard's programs",
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all"])


@needs_types
@pytest.mark.parametrize("line, why", [
    ("allow device 03:02", '"03:02" is not a PCI address'),
    ("allow cgroup pods", '"pods" is not a cgroup\'s path'),
    ("allow everything", '"allow" does not begin a line as'),
    ("mode off", '"off" is no mode'),
    ("rule none", '"none" is no rule'),
    ("allow uid 0", '"0" is root'),
], ids=lambda text: text.replace(" ", "-") if text.startswith(("allow", "mode", "rule")) else "")
def test_bad_line(no_guard, line, why):
    no_guard.config.write_text(f"# ours\nmode enforce\n\n{line} # so\n")
    refused(no_guard, f"{no_guard.config}, line 4: {why}")


@needs_types
def test_configuration_of_others(no_guard):
    no_guard.config.write_text("mode enforce\n")
    os.chmod(no_guard.config, 0o666)
    refused(no_guard, "may be written by others than root")


@needs_types
def test_vfio_not_loaded(no_guard):
    """And with a module that comes again, at other addresses, it holds on."""
    if not os.path.exists("/sys/module/vfio/refcnt"):
        pytest.skip("vfio is built into this kernel")
    from programs import WAYS, attach
    import pci
    nic = os.environ["LAB_GROUP_NIC"]
    modules = ["vfio_pci", "vfio_pci_core", "vfio_iommu_type1", "vfio"]

    def reload():
        for bdf in (os.environ["LAB_NIC0"], os.environ["LAB_NIC1"], nic):
            pci.unbind(bdf)
        subprocess.run(["rmmod", *modules], check=True)

    reload()
    refused(no_guard, "VFIO is not loaded, so the kernel does not tell its types: modprobe vfio-pci")
    subprocess.run(["modprobe", "vfio-pci"], check=True)
    pci.bind(nic, "vfio-pci")
    no_guard.start()
    assert attach(WAYS[0].values[0], nic) == WAYS[0].values[1]
    reload()
    subprocess.run(["modprobe", "vfio-pci"], check=True)
    pci.bind(nic, "vfio-pci")
    assert attach(WAYS[0].values[0], nic) == WAYS[0].values[1]
    no_guard.run("status")


@needs_types
@pytest.mark.skipif(not os.path.exists(LOCKDOWN), reason="this kernel has no lockdown")
def test_zz_lockdown(no_guard):
    """The last: it cannot be undone. Integrity is no hindrance, confidentiality is."""
    with open(LOCKDOWN, "w", encoding="ascii") as lockdown:
        lockdown.write("integrity")
    no_guard.start()
    no_guard.stop()
    with open(LOCKDOWN, "w", encoding="ascii") as lockdown:
        lockdown.write("confidentiality")
    refused(no_guard, "locked down to confidentiality")
