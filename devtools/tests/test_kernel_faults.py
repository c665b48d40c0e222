# SPDX-License-Identifier: BSD-3-Clause
"""Each allocation in the kernel fails once, by the kernel's own fault injection."""

import os
import re
import subprocess

import pytest

import kernel
import pci
import plugin
from test_memory import fault_injection  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

CLIENT = os.path.join(os.path.dirname(plugin.PLUGIN), "../../../app/test/fault_client")


@pytest.mark.usefixtures("fault_injection")
def test_each_step(lab, capsys):
    """A device that VFIO cannot reset, since its neighbour is not bound: resets take a second."""
    pci.bind(lab.EDU, "vfio-pci")
    result = subprocess.run(
        [CLIENT, "-l", "0-1", "--iova-mode=va", "-m", "8", "-a", "0000:00:00.0",
         "--allow-insecure-vfio", "--", lab.EDU],
        env=plugin.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=240)
    told = re.findall(r"^(.*): of (\d+) failures (\d+) were refusals$", result.stdout, re.M)
    print(result.stdout[-4000:])
    assert result.returncode == 0
    assert "no file descriptor for a container: Cannot allocate memory\n" in result.stdout
    # An unmap comes to no allocation, unless it splits a page of the IOMMU's; and devices are not
    # opened where there is ACPI.
    assert [name for name, failures, _ in told if failures != "0"] == \
        ["container", "map", "move", *([] if os.path.exists("/sys/firmware/acpi") else ["device"])]
    with capsys.disabled():
        print("", *(f"{name}: {failures} failures, {refused} of them refusals"
                    for name, failures, refused in told), sep="\n  ")
    assert not kernel.complaints()
