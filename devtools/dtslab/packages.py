# SPDX-License-Identifier: BSD-3-Clause
"""What the Debian that DTS and its two machines run on has, beside what building needs."""

VERSION = "24.11"  # of DPDK: its Debian has a Python and a pydantic as DTS wants them

PACKAGES = """
    python3-aenum python3-fabric python3-invoke python3-paramiko python3-pydantic python3-scapy
    python3-typing-extensions python3-yaml
    openssh-client openssh-server sudo
    ethtool lshw lsof tcpdump
""".split()
