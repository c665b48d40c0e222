# SPDX-License-Identifier: BSD-3-Clause
"""apt for packages that are not for this machine: what it knows of them is in a directory of its
own, and this machine's apt stays as it is."""

import os
import time

from .common import cache_dir, lock, output_in

ASK_AGAIN_AFTER = 24 * 3600  # seconds: what a suite has changes by the day


def options(directory, architecture, sources=None):
    """Options for apt's programs. sources: lines of a sources.list; default: this machine's own."""
    for path in ("state/lists/partial", "cache/archives/partial", "nothing"):
        os.makedirs(os.path.join(directory, path), exist_ok=True)
    status, nothing = os.path.join(directory, "status"), os.path.join(directory, "nothing")
    with open(status, "w", encoding="ascii"):
        pass
    settings = {"Dir::State": f"{directory}/state", "Dir::State::status": status,
                "Dir::Cache": f"{directory}/cache", "APT::Sandbox::User": "root",
                "APT::Install-Recommends": "no", "APT::Architecture": architecture,
                "APT::Architectures": architecture}
    if sources is not None:
        path = os.path.join(directory, "sources.list")
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in sources)
        settings |= {"Dir::Etc::sourcelist": path, "Dir::Etc::sourceparts": nothing,
                     "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": nothing}
    return [f"-o{name}={value}" for name, value in settings.items()]


def foreign(architecture):
    """Options by which apt's programs see what this machine's sources have for another
    architecture. Its lists are fetched once a day."""
    directory = cache_dir(f"apt-{architecture}")
    wanted, fetched = options(directory, architecture), os.path.join(directory, "fetched")
    with lock(os.path.join(directory, "lock"), "waiting for another lab that fetches apt's lists"):
        if not os.path.exists(fetched) or \
                time.time() - os.path.getmtime(fetched) > ASK_AGAIN_AFTER:
            output_in(directory, "apt-get", "-q", *wanted, "update")
            with open(fetched, "w", encoding="ascii"):
                pass
    return wanted
