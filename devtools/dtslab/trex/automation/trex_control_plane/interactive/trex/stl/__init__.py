# SPDX-License-Identifier: BSD-3-Clause
"""The stateless client; its modules are called as TRex's are."""
