# SPDX-License-Identifier: BSD-3-Clause
"""The configuration files of a DTS run."""

import os

from . import machines, shim

# DTS reads YAML, of which JSON is a part; but people read these files too.
NODE = """\
- name: "{name}"
  hostname: "127.0.0.1:{port}"
  user: {user}
  os: linux
  ports:
"""
PORT = """\
    - name: port-{number}
      pci: "{bdf}"
      os_driver_for_dpdk: {dpdk_driver}
      os_driver: {driver}
"""
HUGEPAGES = """\
  hugepages_2mb:
    number_of: 512
    force_first_numa: false
"""
TEST_RUN = """\
dpdk:
  lcores: ""
  memory_channels: 1
  build:
    dpdk_location:
      dpdk_tree: {tree}
      remote: true
    precompiled_build_dir: build
{generator}
use_virtual_functions: false
# They run `meson test` in the build directory, of which a packaged DPDK has none.
skip_smoke_tests: true
test_suites:
{suites}
system_under_test_node: "SUT"
traffic_generator_node: "TG"
port_topology:
  - port-0 <-> port-0
  - port-1 <-> port-1
"""
# What DTS is to be told of the NIC (82576) for some suites.
OF_THE_NIC = {"pmd_rss": "pmd_rss:\n  ACTUAL_KEY_SIZE: 40\n  ACTUAL_RETA_SIZE: 128\n"}
FUNCTIONAL = """\
func_traffic_generator:
  type: SCAPY
perf: false
func: true"""


def write(directory, sut, tg, who, suites, generator=FUNCTIONAL, tests=""):
    """The files; what DTS is to be told of them, as arguments."""
    files = {
        "nodes": node(sut, "SUT") + HUGEPAGES + node(tg, "TG"),
        "test-run": TEST_RUN.format(
            tree=shim.TREES[who], generator=generator,
            suites="\n".join(f"  - {suite}" for suite in suites)),
        "tests": tests or told(suites) or "{}\n",
    }
    arguments = []
    for name, text in files.items():
        path = os.path.join(directory, f"{name.replace('-', '_')}.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        arguments += [f"--{name}-config-file", path]
    return arguments


def told(suites):
    return "".join(text for name, text in OF_THE_NIC.items()
                   if any(suite.split()[0] == name for suite in suites))


def node(machine, name):
    ports = (PORT.format(number=number, bdf=bdf, driver=machine.driver,
                         dpdk_driver=machine.dpdk_driver)
             for number, bdf in enumerate(machine.bdfs))
    return NODE.format(name=name, port=machine.port, user=machines.USER) + "".join(ports)
