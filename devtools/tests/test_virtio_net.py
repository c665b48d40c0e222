# SPDX-License-Identifier: BSD-3-Clause
"""virtio devices: whether their DMA goes through the IOMMU is theirs to say."""

import pytest

import pci
from test_command import plug, unplug
from testpmd import NOT_STARTED, Testpmd, allow

pytestmark = pytest.mark.usefixtures("no_leftovers", "all_drivers")

REFUSED = "refused: a virtio device without VIRTIO_F_ACCESS_PLATFORM"
PAST = "does its DMA PAST THE IOMMU"


@pytest.fixture
def virtio(lab):
    """plug(translated): a virtio-net on vfio-pci, its BDF."""
    plugged = []

    def plug_one(**options):
        plugged.append(plug("virtio-net-pci", romfile="", **options))
        pci.bind(plugged[0], "vfio-pci")
        return plugged[0]

    yield plug_one
    unplug(plugged[0])


def ports(bdf, *eal, iova="va"):
    with Testpmd(*allow(bdf), f"--iova-mode={iova}", "-m", "128", *eal,
                 app=NOT_STARTED) as testpmd:
        testpmd.started()
        found = testpmd.ports()
        return found, testpmd.quit()


@pytest.mark.one_kernel
def test_dma_past_the_iommu_is_refused(virtio):
    bdf = virtio()
    found, output = ports(bdf)
    assert found == [] and f"{bdf} {REFUSED}" in output
    found, output = ports(bdf, "--ioasid-mode", "container")
    assert found == [] and f"{bdf} {REFUSED}" in output
    # Only so it works: what it takes for physical addresses are some.
    found, output = ports(bdf, "--allow-insecure-vfio", iova="pa")
    assert found == [bdf] and f"{bdf} {PAST}" in output


@pytest.mark.one_kernel
def test_dma_through_the_iommu(virtio):
    bdf = virtio(**{"iommu_platform": True, "disable-legacy": "on"})
    found, output = ports(bdf)
    assert found == [bdf]
    assert REFUSED not in output and PAST not in output
