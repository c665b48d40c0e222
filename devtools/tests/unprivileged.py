# SPDX-License-Identifier: BSD-3-Clause
"""Programs of a user without rights, on nodes that it owns, or that it is handed open."""

import plugin
from testpmd import Testpmd, allow

NOBODY = 65534


def unprivileged(bdfs, user, kib, eal=(), pass_fds=(), env=None, **options):
    """testpmd as NOBODY (fixture `user`) with a limit of locked memory."""
    wrapper = ["prlimit", f"--memlock={kib * 1024}", "setpriv", f"--reuid={NOBODY}",
               f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
               "env", f"LD_PRELOAD={plugin.PLUGIN}"]
    return Testpmd(*allow(*bdfs), "--iova-mode=va", "-m", "128", *user["eal"], *eal,
                   preload=False, wrapper=wrapper, env={**user["env"], **(env or {})},
                   pass_fds=pass_fds, **options)
