# SPDX-License-Identifier: BSD-3-Clause
"""Runs app/test/memory_client, a DPDK application that allocates and frees and compares DPDK's
memory with the IOMMU's page table at each step."""

import os
import subprocess

import pytest

import plugin

CLIENT = os.path.join(os.path.dirname(plugin.PLUGIN), "../../../app/test/memory_client")
NOBODY = 65534


def command(eal, what):
    if not os.path.isdir("/sys/kernel/debug/iommu/intel"):
        pytest.skip("compares with the IOMMU's page table, which VT-d's driver shows, and no other")
    # Newer EALs take no option twice.
    iova = [] if any(arg.startswith("--iova-mode") for arg in eal) else ["--iova-mode=va"]
    return [CLIENT, "-l", "0", *iova, *eal, "--", *what]


def run(eal, what, wrapper=(), env=None, status=0, timeout=240):
    """What it printed; `what` begins with a BDF."""
    result = subprocess.run([*wrapper, *command(eal, what)], env=plugin.environment(more=env),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False, timeout=timeout)
    print(result.stdout)
    assert result.returncode == status
    return result.stdout


def as_nobody(memlock):
    """A wrapper: no rights but those of the files, and so much locked memory in bytes."""
    return ["prlimit", f"--memlock={memlock}:{memlock}", "setpriv", f"--reuid={NOBODY}",
            f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
