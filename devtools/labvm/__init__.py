# SPDX-License-Identifier: BSD-3-Clause
"""The lab: cli -> session -> machine, initramfs, kernel -> architecture; guest/ is what runs inside;
roots are other Debians to run it with."""
