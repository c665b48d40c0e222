# SPDX-License-Identifier: BSD-3-Clause
"""Where the command and the plugin under test are.

LD_PRELOAD cannot name a path with a blank or a colon: in such a checkout by a link to the build.
"""

import atexit
import os
import re
import shutil
import tempfile

COMMAND = os.environ["DPDK_IOASID_COMMAND"]
PLUGIN = os.environ["DPDK_IOASID_PLUGIN"]
BUILD = os.path.commonpath([COMMAND, PLUGIN])

if re.search(r"[\s:]", BUILD):
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)  # some tests are another user's
    atexit.register(shutil.rmtree, directory)
    link = os.path.join(directory, "build")
    os.symlink(BUILD, link)
    COMMAND = os.path.join(link, os.path.relpath(COMMAND, BUILD))
    PLUGIN = os.environ["DPDK_IOASID_PLUGIN"] = os.path.join(link, os.path.relpath(PLUGIN, BUILD))
