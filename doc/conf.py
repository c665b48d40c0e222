# SPDX-License-Identifier: BSD-3-Clause
"""Sphinx: man pages."""

project = "dpdk-ioasid"
extensions = []
exclude_patterns = []
root_doc = "index"
man_pages = [
    ("man/dpdk-ioasid", "dpdk-ioasid", "DPDK's devices over /dev/ioasid, isolated", "", 1),
]
