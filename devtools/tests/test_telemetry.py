# SPDX-License-Identifier: BSD-3-Clause
"""What is to be seen on DPDK's telemetry socket, by DPDK's own dpdk-telemetry.py."""

import json
import re
import subprocess

import pytest

import pci
from testpmd import Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

LISTS = ("devices", "groups", "ioasids", "maps")
NOT_STARTED = ["--disable-device-start"]
PAGE = 64


def ask(*commands):
    """The replies, each without its name."""
    output = subprocess.run(["dpdk-telemetry.py"], input="\n".join(commands) + "\n", text=True,
                            stdout=subprocess.PIPE, check=True, timeout=60).stdout
    print(output)
    replies = [next(iter(json.loads(line).values())) for line in output.splitlines()]
    assert len(replies) == len(commands)
    return replies if len(replies) > 1 else replies[0]


@pytest.mark.one_kernel
@pytest.mark.every_dpdk
def test_telemetry(lab):
    """Two NICs of their own, two members of a group of which one has no driver in DPDK."""
    pci.bind(lab.GROUP_NIC, "vfio-pci")
    pci.bind(lab.GROUP_HD, "vfio-pci")
    pci.bind(lab.EDU_NIC, "vfio-pci")
    # Without -m memory is mapped page by page: more pages than are told at once.
    with Testpmd(*allow(lab.NIC0, lab.GROUP_NIC, lab.GROUP_HD, lab.EDU_NIC), "--iova-mode=va",
                 "--allow-insecure-vfio", app=[*NOT_STARTED, "--total-num-mbufs=65536"]) as testpmd:
        testpmd.started()
        info, *lists = ask("/ioasid/info", *("/ioasid/" + name for name in LISTS))
        check_info(info, testpmd)
        check_devices(lists[0], testpmd, lab)
        check_groups(lists[1], lab)
        check_ioasids(lists[2], info)
        check_pages(lists[3], info)
        check_arguments()
        check_changes(testpmd, lab)
        testpmd.quit()


def check_info(info, testpmd):
    node, = re.findall(r"IOASID: (\S+) opened", testpmd.output)
    assert info["node"] == node
    assert (info["mode"], info["process"]) == ("native", "primary")
    assert info["allow_insecure_vfio"] == 1
    assert re.fullmatch(r"\d+\.\d+\.\d+", info["version"])
    assert (info["devices"], info["ioasids"]) == (4, 1)


def check_devices(reply, testpmd, lab):
    """As in the lines of the log."""
    logged = re.findall(r"IOASID: (\S+): IOMMU group (\d+), (\w+), device id (\d+), IOASID (\d+)",
                        testpmd.output)
    assert len(logged) >= 3
    assert (reply["total"], len(reply["devices"]), "next" in reply) == (4, 4, False)
    for bdf, group, cdev, number, ioasid in logged:
        assert reply["devices"][cdev] == {
            "bdf": bdf, "group": int(group), "id": int(number), "ioasid": int(ioasid),
            "state": "in use" if bdf != lab.GROUP_HD else "only joined"}
    disk, = [entry for entry in reply["devices"].values() if entry["bdf"] == lab.GROUP_HD]
    assert disk["state"] == "only joined"


def check_groups(reply, lab):
    assert reply["total"] == 3
    groups = list(reply["groups"].values())
    assert {"joined": [lab.NIC0], "at_risk": [], "exempt": []} in groups
    shared, = [group for group in groups if lab.GROUP_NIC in group["joined"]]
    assert shared["joined"] == sorted([lab.GROUP_NIC, lab.GROUP_HD])
    assert shared["at_risk"] == []
    assert shared["exempt"] == pci.others_of_group(lab.GROUP_NIC, lab.GROUP_HD)
    insecure, = [group for group in groups if lab.EDU_NIC in group["joined"]]
    assert insecure["at_risk"] == [lab.EDU]


def check_ioasids(reply, info):
    (number, entry), = reply["ioasids"].items()
    assert int(number) > 0
    assert entry["use"] == "DPDK's memory"
    assert entry["devices"] == 4
    assert entry["mapped_bytes"] == info["mapped_bytes"]


def check_pages(reply, info):
    """All maps, page by page: in order, apart, and in sum what is mapped."""
    maps, total = list(reply["maps"].values()), reply["total"]
    assert len(maps) == PAGE < total
    while "next" in reply:
        reply = ask(f"/ioasid/maps,{reply['next']}")
        assert reply["total"] == total
        assert 0 < len(reply["maps"]) <= PAGE
        maps += reply["maps"].values()
    assert len(maps) == total
    end = 0
    for entry in maps:
        assert int(entry["iova"], 16) >= end
        assert entry["va"] == entry["iova"]  # --iova-mode=va
        end = int(entry["iova"], 16) + entry["bytes"]
    assert sum(entry["bytes"] for entry in maps) == info["mapped_bytes"]


def check_arguments():
    past, *wrong = ask("/ioasid/devices,ffff:ff:1f.7", "/ioasid/maps,-1", "/ioasid/maps,1:x",
                       "/ioasid/groups,1x", "/ioasid/ioasids,99999999999")
    assert past == {"total": 4, "devices": {}}
    assert wrong == [None, None, None, None]


def check_changes(testpmd, lab):
    port = testpmd.ports().index(lab.NIC0)
    testpmd.command(f"port detach {port}")
    reply = ask("/ioasid/devices")
    assert reply["total"] == 3
    assert lab.NIC0 not in [entry["bdf"] for entry in reply["devices"].values()]
