# SPDX-License-Identifier: BSD-3-Clause
"""A guard for each test, and none after it."""

import os
import subprocess

import pytest

import pci
import plugin
from programs import PINS, Guard


def pytest_collection_modifyitems(items):
    """A kernel without types is told once, by test_without.py; there is nothing else to test."""
    if os.path.exists("/sys/kernel/btf/vmlinux"):
        return
    for item in items:
        if "guard" in item.path.parts and item.path.name != "test_without.py":
            item.add_marker(pytest.mark.skip(reason="this kernel does not tell its types (BTF)"))


@pytest.fixture
def no_guard(lab, tmp_path):
    """None is in force, before and after; lab.GROUP_NIC is on vfio-pci, its neighbour unbound."""
    subprocess.run([plugin.COMMAND, "guard", "stop"], check=True, stdout=subprocess.DEVNULL)
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    guard = Guard(tmp_path / "guard.conf")
    yield guard
    guard.stop()
    assert not os.path.exists(PINS)


@pytest.fixture
def guard(no_guard):
    """In force, enforcing the default rule."""
    no_guard.start()
    return no_guard
