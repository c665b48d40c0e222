# SPDX-License-Identifier: BSD-3-Clause
"""The caller's terminal, for an interactive session."""

import contextlib
import os
import termios
import tty


def size():
    """(rows, columns); the guest's console cannot ask."""
    try:
        columns, rows = os.get_terminal_size(0)
    except OSError:
        return 24, 80
    return rows or 24, columns or 80


@contextlib.contextmanager
def raw():
    """Every key goes to the guest, Ctrl-C too."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
