# SPDX-License-Identifier: BSD-3-Clause
"""DTS in the lab: run -> machines, config, results; node is what runs inside the machines."""
