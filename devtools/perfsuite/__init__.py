# SPDX-License-Identifier: BSD-3-Clause
"""What devtools/perf measures, and how it shows that."""
