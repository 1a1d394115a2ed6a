import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from cocodesign.collectives.topology import Domain, Topology
from cocodesign.studies.step_times import (
    Accelerator,
    count_volumes,
    simulate_step,
    volumes_summary,
)

ONE_LINK = Topology("one link", (Domain(64, 0.0, 1.0),))
SLOW = Accelerator(seconds_per_image=2.0, inversion_flops_per_s=10.0)


def test_the_volumes_of_resnet_50_are_those_of_the_literature() -> None:
    with torch.device("meta"):
        volumes = count_volumes(resnet50())
    assert len(volumes) == 107
    gradients = sum(each.num_parameters for each in volumes)
    statistics = sum(each.num_statistics for each in volumes)
    assert gradients == 25_557_032
    assert 4 * statistics / 2**20 == pytest.approx(294, abs=0.5)
    work = sum(size**3 for each in volumes for size in each.inverted_sizes)
    assert work / 1e9 == pytest.approx(453, abs=0.5)
    assert "97.5 MiB" in volumes_summary(volumes, 0.1)
    assert "29 MiB of them" in volumes_summary(volumes, 0.1)


def test_a_step_is_the_sum_of_parts_that_can_be_done_by_hand() -> None:
    """Two layers on two ranks: each owns one."""
    volumes = count_volumes(nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4)))
    times = simulate_step(
        volumes, ONE_LINK, SLOW, 2, images_per_rank=5, refresh_fraction=0.5
    )
    parameters = 4 * 4 * 4  # of one layer, in bytes, at one byte a second
    statistics = 4 * (10 + 10)
    assert times.compute_s == 10.0
    assert times.gradients_s == pytest.approx(parameters)
    assert times.weights_s == pytest.approx(parameters)
    assert times.statistics_s == pytest.approx(0.5 * statistics)
    assert times.inversion_s == pytest.approx(0.5 * (4**3 + 4**3) / 10)
    assert times.total_s == pytest.approx(
        10 + 2 * parameters + 0.5 * statistics + 0.5 * 12.8
    )


def test_the_ring_reduces_everything_everywhere() -> None:
    volumes = count_volumes(nn.Linear(3, 4))
    ring = simulate_step(
        volumes,
        ONE_LINK,
        SLOW,
        4,
        images_per_rank=1,
        refresh_fraction=1.0,
        schedule="ring",
    )
    assert ring.gradients_s == pytest.approx(2 * 3 / 4 * 64)
    assert ring.weights_s == ring.gradients_s


def test_refuses_layers_and_fractions_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="0 is a GRU, whose volumes"):
        count_volumes(nn.Sequential(nn.GRU(2, 2)))
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got 1\.5"):
        simulate_step([], ONE_LINK, SLOW, 2, images_per_rank=1, refresh_fraction=1.5)
