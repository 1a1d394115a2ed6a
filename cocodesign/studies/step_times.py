"""One step of distributed K-FAC on many GPUs, part by part.

What is sent and inverted is counted on the real network; how long that takes is
simulated, on a machine described by ``cocodesign.collectives.topology``. A step:

1. forward and backward pass on the rank's own images;
2. reduce-scatter of the gradients to the layers' owners, and, when the statistics are
   refreshed, of the packed factors;
3. the owners invert the refreshed factors and update their layers;
4. all-gather of the weights.

Source of the step: Osawa et al. (2019), arXiv:1811.12019, Section 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from torch import nn

from cocodesign.collectives import tune
from cocodesign.collectives.cost_model import Operation
from cocodesign.collectives.schedules import Schedule, halving, ring
from cocodesign.collectives.simulation import simulate
from cocodesign.collectives.topology import SimulatedMachine, Topology
from cocodesign.kfac.assignment import assign, inversion_cost

ScheduleName = Literal["ring", "halving", "tuned"]

_BYTES = 4  # of a float32
_INVERSION_FLOPS = 1.0  # n³/3 for the Cholesky factor, 2n³/3 for the inverse from it


@dataclass(frozen=True)
class LayerVolumes:
    """What K-FAC sends and inverts for one layer.

    Attributes:
        name: The layer's name in the network.
        num_parameters: Trainable numbers.
        num_statistics: Numbers of the packed factors, or of a unit-wise Fisher.
        inverted_sizes: Rows of the matrices to invert.
    """

    name: str
    num_parameters: int
    num_statistics: int
    inverted_sizes: tuple[int, ...]


@dataclass(frozen=True)
class Accelerator:
    """What a rank computes with; assumptions, stated with the results.

    Attributes:
        seconds_per_image: Forward and backward pass, statistics included.
        inversion_flops_per_s: Rate of Cholesky inversions.
    """

    seconds_per_image: float
    inversion_flops_per_s: float


@dataclass(frozen=True)
class StepTimes:
    """Where the time of a step goes, in seconds.

    Attributes:
        compute_s: Forward and backward pass.
        gradients_s: Reduce-scatter of the gradients.
        statistics_s: Reduce-scatter of the factors, a mean over the steps.
        inversion_s: Of the rank with the most to do, a mean over the steps.
        weights_s: All-gather of the weights.
    """

    compute_s: float
    gradients_s: float
    statistics_s: float
    inversion_s: float
    weights_s: float

    @property
    def total_s(self) -> float:
        """The whole step, nothing of it overlapped."""
        return self.compute_s + self.inversion_s + self.communication_s

    @property
    def communication_s(self) -> float:
        """All that is sent."""
        return self.gradients_s + self.statistics_s + self.weights_s


def count_volumes(model: nn.Module) -> list[LayerVolumes]:
    """Count what K-FAC sends and inverts for a network.

    Args:
        model: Of linear layers, convolutions and batch normalisations; it may be on the
            meta device, since only shapes are looked at.

    Returns:
        The layers with parameters, in the network's order.

    Raises:
        ValueError: If a layer of another kind has parameters.

    Example:
        >>> (layer,) = count_volumes(nn.Linear(3, 2))  # A is 4×4, G is 2×2
        >>> layer.num_parameters, layer.num_statistics, layer.inverted_sizes
        (8, 13, (4, 2))
    """
    volumes: list[LayerVolumes] = []
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if not own:
            continue
        num_parameters = sum(parameter.numel() for parameter in own)
        if isinstance(module, nn.Linear | nn.Conv2d):
            d_out = len(module.weight)
            d_in = num_parameters // d_out  # a bias is one more column
            sizes = (d_in, d_out)
            num_statistics = sum(size * (size + 1) // 2 for size in sizes)
        elif isinstance(module, nn.BatchNorm2d):
            sizes = ()  # 2×2 blocks, inverted in closed form
            num_statistics = 3 * module.num_features
        else:
            raise ValueError(
                f"{name} is a {type(module).__name__}, whose volumes are not known here"
            )
        volumes.append(LayerVolumes(name, num_parameters, num_statistics, sizes))
    return volumes


def volumes_summary(volumes: Sequence[LayerVolumes], refresh_fraction: float) -> str:
    """Say in one line what a step sends and inverts.

    Args:
        volumes: Of the network.
        refresh_fraction: Of the statistics that are refreshed at a step.

    Returns:
        Layers, sizes in MiB of float32, and the work of the inversions.
    """
    parameters = _BYTES * sum(each.num_parameters for each in volumes) / 2**20
    statistics = _BYTES * sum(each.num_statistics for each in volumes) / 2**20
    work = sum(inversion_cost(size) for each in volumes for size in each.inverted_sizes)
    return (
        f"{len(volumes)} layers: gradients {parameters:.1f} MiB, packed statistics "
        f"{statistics:.0f} MiB, {refresh_fraction * statistics:.0f} MiB of them at a "
        f"mean step; Σn³ = {work / 1e9:.0f}e9 per refresh of all"
    )


def simulate_step(
    volumes: Sequence[LayerVolumes],
    topology: Topology,
    accelerator: Accelerator,
    world_size: int,
    *,
    images_per_rank: float,
    refresh_fraction: float,
    schedule: ScheduleName = "tuned",
) -> StepTimes:
    """Simulate one step of K-FAC with whole layers per owner (MEM-OPT).

    Args:
        volumes: Of the network.
        topology: The machine; it has at least ``world_size`` ranks.
        accelerator: What each rank computes with.
        world_size: The number of ranks.
        images_per_rank: Of a mini-batch.
        refresh_fraction: Of the statistics that are refreshed at a step, 0 to 1.
        schedule: How it communicates. ``"ring"`` is what the programme's public release
            does, all-reduces of the whole by rings, as a ring of unequal shards would
            wait for the largest in every round; the others send to the owners only.

    Returns:
        The times.

    Raises:
        ValueError: If the fraction is out of its range.
    """
    if not 0 <= refresh_fraction <= 1:
        raise ValueError(f"refresh_fraction must lie in [0, 1], got {refresh_fraction}")
    machine = SimulatedMachine(topology, world_size)
    costs = [[sum(map(inversion_cost, each.inverted_sizes))] for each in volumes]
    assignment = assign(costs, world_size, num_workers=1)
    parameters = np.zeros(world_size)
    statistics = np.zeros(world_size)
    for each, column in zip(volumes, assignment.columns, strict=True):
        parameters[column] += each.num_parameters
        statistics[column] += each.num_statistics

    def collective_s(numbers: np.ndarray, operation: Operation) -> float:
        num_bytes = _BYTES * float(numbers.sum())
        if schedule == "ring":
            return simulate(machine, ring(world_size), num_bytes)
        if schedule == "halving":
            chosen = halving(world_size)
        else:
            chosen = _tuned(machine, num_bytes, operation)
        shares = numbers / numbers.sum()
        return simulate(machine, chosen, num_bytes, operation, shares=shares)

    flops = _INVERSION_FLOPS * max(assignment.loads)
    return StepTimes(
        compute_s=images_per_rank * accelerator.seconds_per_image,
        gradients_s=collective_s(parameters, "reduce_scatter"),
        statistics_s=refresh_fraction * collective_s(statistics, "reduce_scatter"),
        inversion_s=refresh_fraction * flops / accelerator.inversion_flops_per_s,
        weights_s=collective_s(parameters, "all_gather"),
    )


@cache
def _tuned(
    machine: SimulatedMachine, num_bytes: float, operation: Operation
) -> Schedule:
    return tune(machine, machine.world_size, num_bytes, operation)
