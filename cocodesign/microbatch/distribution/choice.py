# pyright: strict
"""The partition that is fastest and fits, by a cost model.

A step is the forward pass, both gradients, and what has to travel. With P ranks, α
seconds per message, β seconds per byte and r operations per second,

* every cut divides the ``3 · flops`` of a step by P, up to the largest piece;
* an all-reduce of m bytes takes ``2 log₂P α + 2 (P - 1)/P m β``;
* along ``batch`` and the spatial axes the filter's gradient is all-reduced, along
  ``out_channels`` the input's gradient, along ``in_channels`` the output;
* along a spatial axis the windows' rims travel forward and back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.distribution.partition import (
    Axis,
    SpatialCut,
    cut_convolution,
    largest,
    partition_axes,
    spatial_index,
)
from cocodesign.microbatch.problem import ConvProblem


@dataclass(frozen=True)
class Machine:
    """Ranks and the links between them.

    Attributes:
        flops_per_s: Operations of a rank per second, r.
        latency_s: Of a message, α.
        seconds_per_byte: Of a link, β.
        memory_bytes: Of a rank.
    """

    flops_per_s: float
    latency_s: float
    seconds_per_byte: float
    memory_bytes: int


@dataclass(frozen=True)
class PartitionChoice:
    """A cut with what it is expected to take.

    Attributes:
        axis: Along which the convolution is cut.
        time_s: Seconds of a step.
        memory_bytes: What the fullest rank holds of input, output and filter, with
            their gradients.
    """

    axis: Axis
    time_s: float
    memory_bytes: int


def choose_partition(
    problem: ConvProblem, world_size: int, machine: Machine
) -> PartitionChoice:
    """Choose along which axis to cut a convolution.

    Args:
        problem: The sizes of the whole.
        world_size: P ≥ 1.
        machine: The ranks and links.

    Returns:
        The fastest cut that fits.

    Raises:
        InfeasiblePlanError: If no cut fits into a rank's memory.

    Example:
        >>> problem = ConvProblem.square(1, 8, 8, size=512, kernel=3, padding=1)
        >>> machine = Machine(1e12, 1e-6, 1e-9, memory_bytes=1 << 30)
        >>> choose_partition(problem, 4, machine).axis
        'height'
    """
    choices = predict_partitions(problem, world_size, machine)
    fitting = [each for each in choices if each.memory_bytes <= machine.memory_bytes]
    if not fitting:
        least = min((each.memory_bytes for each in choices), default=0)
        raise InfeasiblePlanError(
            f"{problem.label} at {problem.mini_batch_size} examples fits into no rank "
            f"of {world_size}: the leanest cut needs {least:,} bytes of "
            f"{machine.memory_bytes:,}; take more ranks or fewer examples"
        )
    return min(fitting, key=lambda each: each.time_s)


def predict_partitions(
    problem: ConvProblem, world_size: int, machine: Machine
) -> tuple[PartitionChoice, ...]:
    """Predict time and memory of every cut that gives each rank something to do.

    Args:
        problem: The sizes of the whole.
        world_size: P ≥ 1.
        machine: The ranks and links.

    Returns:
        The cuts.
    """
    return tuple(
        _predict(problem, axis, world_size, machine)
        for axis in partition_axes(problem)
        if world_size <= _extent(problem, axis)
    )


def _extent(problem: ConvProblem, axis: Axis) -> int:
    index = spatial_index(axis, problem.num_axes)
    if index is not None:
        return min(problem.input_size[index], problem.output_size[index])
    return {
        "batch": problem.mini_batch_size,
        "out_channels": problem.out_channels,
        "in_channels": problem.in_channels,
    }[axis]


def _predict(
    problem: ConvProblem, axis: Axis, world_size: int, machine: Machine
) -> PartitionChoice:
    index = spatial_index(axis, problem.num_axes)
    x_bytes = problem.mini_batch_size * problem.input_bytes
    y_bytes = problem.mini_batch_size * problem.output_bytes
    w_bytes = problem.weight_bytes
    rims: Sequence[float] = ()
    if index is not None:
        cut = cut_convolution(problem, index, world_size)
        share = largest(cut.outputs) / problem.output_size[index]
        row_bytes = x_bytes / problem.input_size[index]
        rims = [size * row_bytes for size in _rims(cut)]
        kept = (
            x_bytes * largest(cut.needed) / problem.input_size[index],
            y_bytes * share,
            w_bytes,
        )
        reduced = w_bytes
    else:
        extent = _extent(problem, axis)
        share = math.ceil(extent / world_size) / extent
        shares = {
            "batch": (share, share, 1.0),
            "out_channels": (1.0, share, share),
            "in_channels": (share, 1.0, share),
        }[axis]
        sizes = (x_bytes, y_bytes, w_bytes)
        kept = tuple(size * each for size, each in zip(sizes, shares, strict=True))
        reduced = {"batch": w_bytes, "out_channels": x_bytes, "in_channels": y_bytes}[
            axis
        ]
    time_s = 3 * problem.flops * share / machine.flops_per_s
    if world_size > 1:
        time_s += 2 * math.log2(world_size) * machine.latency_s
        traffic = 2 * (world_size - 1) / world_size * reduced
        time_s += traffic * machine.seconds_per_byte
        for size in rims:  # forward, and their gradients back
            time_s += 2 * (machine.latency_s + size * machine.seconds_per_byte)
    return PartitionChoice(axis, time_s, math.ceil(2 * sum(kept)))


def _rims(cut: SpatialCut) -> list[int]:
    """Return the largest message of each exchange."""
    count = len(cut.owned)
    return [
        max(cut.message(rank, (rank + distance) % count).size for rank in range(count))
        for distance in cut.distances()
    ]
