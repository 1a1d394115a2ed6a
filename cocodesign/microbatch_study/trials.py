"""Both kinds of distribution tried on real ranks.

``try_workers`` divides a mini-batch over workers of unequal speed and asks what that
gains over the fastest of them. ``try_partitions`` cuts convolutions along every axis
and asks how much slower the chosen cut is than the best. All ranks call them together,
one thread each; on fewer cores than ranks neither says anything.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cocodesign.collectives import Communicator, all_gather, all_reduce
from cocodesign.microbatch.algorithms.direct import call_forward
from cocodesign.microbatch.distribution.choice import (
    Machine,
    choose_partition,
    predict_partitions,
)
from cocodesign.microbatch.distribution.convolution import (
    local_parts,
    partitioned_convolution,
)
from cocodesign.microbatch.distribution.partition import Axis
from cocodesign.microbatch.distribution.workers import split_mini_batch
from cocodesign.microbatch.problem import ConvProblem

WORKERS_PROBLEM = ConvProblem.square(64, 64, 64, size=28, kernel=3, padding=1)
"""The layer whose mini-batch is divided."""

PARTITION_PROBLEMS = (
    ConvProblem.square(32, 16, 32, size=28, kernel=3, padding=1),
    ConvProblem.square(1, 8, 8, size=256, kernel=3, padding=1),
    ConvProblem.square(2, 256, 256, size=8, kernel=3, padding=1),
    ConvProblem.square(1, 64, 64, size=56, kernel=3, padding=1),
    ConvProblem.square(16, 3, 64, size=64, kernel=5, padding=2),
)
"""Many examples, a large picture, a large filter, something between, few channels."""

_MEASURED_SHARES = (1 / 64, 1 / 8, 3 / 8, 1)
_PROBE_BYTES = (1 << 12, 1 << 22)
_MEMORY_BYTES = 1 << 40  # speed alone chooses here


@dataclass(frozen=True)
class WorkersTrial:
    """A mini-batch divided over workers of unequal speed.

    Attributes:
        gains: By round, seconds of the fastest worker alone over those of all.
        possible: The gain that the measured times promised.
        num_examples: What each worker got.
    """

    gains: tuple[float, ...]
    possible: float
    num_examples: tuple[int, ...]


@dataclass(frozen=True)
class PartitionTrial:
    """One convolution cut along every axis.

    Attributes:
        label: The layer.
        chosen: The axis that the cost model chose.
        seconds: By axis, the median time of a step of the slowest rank.
    """

    label: str
    chosen: Axis
    seconds: dict[Axis, float]

    @property
    def regret(self) -> float:
        """Time of the chosen cut over that of the best one, at least 1."""
        return self.seconds[self.chosen] / min(self.seconds.values())


def try_workers(
    ranks: Communicator,
    *,
    slowdown: int,
    num_rounds: int,
    problem: ConvProblem = WORKERS_PROBLEM,
) -> WorkersTrial:
    """Divide a mini-batch over the ranks, all but the first of them slowed down.

    Args:
        ranks: The workers.
        slowdown: How many times the others compute every example, at least 1.
        num_rounds: Timed pairs of mini-batches, at least 1.
        problem: The layer.

    Returns:
        What came out, on every rank the same.

    Raises:
        ValueError: If a number is below 1.
    """
    if slowdown < 1 or num_rounds < 1:
        raise ValueError(
            f"slowdown and num_rounds must be at least 1, got {slowdown}, {num_rounds}"
        )
    x, w = _operands(problem)
    repeats = 1 if ranks.rank == 0 else slowdown

    def compute(num_examples: int) -> float:
        def work() -> None:
            for _ in range(repeats):
                if num_examples:
                    call_forward(problem, x[:num_examples], w)

        return _timed(ranks, work)

    size = problem.mini_batch_size
    known = sorted({max(1, round(share * size)) for share in _MEASURED_SHARES})
    own = [statistics.median(compute(number) for _ in range(3)) for number in known]
    seconds = [
        _at_all_sizes(known, times.tolist(), size) for times in _gathered(own, ranks)
    ]
    num_examples, promised_s = split_mini_batch(seconds, size)
    gains: list[float] = []
    for number in range(1 + num_rounds):
        alone = compute(size if ranks.rank == 0 else 0)
        together = compute(num_examples[ranks.rank])
        last = torch.stack(_gathered([alone, together], ranks)).amax(0)
        if number:  # the first round warms up
            gains.append((last[0] / last[1]).item())
    fastest_s = min(times[size] for times in seconds)
    return WorkersTrial(tuple(gains), fastest_s / promised_s, tuple(num_examples))


def try_partitions(
    ranks: Communicator,
    *,
    num_rounds: int,
    problems: Sequence[ConvProblem] = PARTITION_PROBLEMS,
) -> tuple[PartitionTrial, ...]:
    """Cut convolutions along every axis, and let the cost model choose one.

    The model's rates are measured first: of the whole step on one rank, layer by layer,
    and of all-reduces of a small and a large tensor.

    Args:
        ranks: At least two.
        num_rounds: Timed steps of each cut, at least 1; the cuts take turns.
        problems: The layers.

    Returns:
        What came out, on every rank the same.
    """
    latency_s, seconds_per_byte = _measure_links(ranks, num_rounds)
    found: list[PartitionTrial] = []
    for problem in problems:
        x, w = _operands(problem)
        whole_s = _median_s(ranks, lambda x=x, w=w, p=problem: _step(p, x, w), 3)
        machine = Machine(
            3 * problem.flops / whole_s, latency_s, seconds_per_byte, _MEMORY_BYTES
        )
        cuts = predict_partitions(problem, ranks.world_size, machine)
        steps: dict[Axis, Callable[[], None]] = {
            cut.axis: _partitioned_step(problem, cut.axis, x, w, ranks) for cut in cuts
        }
        times: dict[Axis, list[float]] = {axis: [] for axis in steps}
        for number in range(1 + num_rounds):
            for axis, step in steps.items():
                last_s = max(
                    each.item() for each in _gathered([_timed(ranks, step)], ranks)
                )
                if number:
                    times[axis].append(last_s)
        chosen = choose_partition(problem, ranks.world_size, machine).axis
        seconds: dict[Axis, float] = {
            axis: statistics.median(each) for axis, each in times.items()
        }
        found.append(PartitionTrial(problem.label, chosen, seconds))
    return tuple(found)


def _partitioned_step(
    problem: ConvProblem, axis: Axis, x: Tensor, w: Tensor, ranks: Communicator
) -> Callable[[], None]:
    own_x, own_w = (
        each.clone().requires_grad_()
        for each in local_parts(problem, axis, ranks.rank, ranks.world_size, x, w)
    )

    def step() -> None:
        y = partitioned_convolution(problem, axis, own_x, own_w, ranks)
        torch.autograd.grad(y.sum(), (own_x, own_w))

    return step


def _step(problem: ConvProblem, x: Tensor, w: Tensor) -> None:
    x, w = x.requires_grad_(), w.requires_grad_()
    y = functional.conv2d(x, w, padding=problem.padding)
    torch.autograd.grad(y.sum(), (x, w))


def _measure_links(ranks: Communicator, num_rounds: int) -> tuple[float, float]:
    """Return seconds per message and per byte, from two sizes of an all-reduce."""
    small_s, large_s = (
        _median_s(ranks, lambda n=n: all_reduce(torch.ones(n // 4), ranks), num_rounds)
        for n in _PROBE_BYTES
    )
    traffic = 2 * (ranks.world_size - 1) / ranks.world_size
    extra_bytes = traffic * (_PROBE_BYTES[1] - _PROBE_BYTES[0])
    seconds_per_byte = max(large_s - small_s, 0.0) / extra_bytes
    num_messages = 2 * (ranks.world_size - 1).bit_length()
    return small_s / num_messages, seconds_per_byte


def _median_s(
    ranks: Communicator, work: Callable[[], object], num_rounds: int
) -> float:
    """Time some work of all ranks: the median of the slowest rank's seconds."""
    seconds = [
        max(each.item() for each in _gathered([_timed(ranks, work)], ranks))
        for _ in range(1 + num_rounds)
    ]
    return statistics.median(seconds[1:])


def _timed(ranks: Communicator, work: Callable[[], object]) -> float:
    """Begin together, and return this rank's own seconds."""
    _gathered([0.0], ranks)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _gathered(values: list[float], ranks: Communicator) -> list[Tensor]:
    own = torch.tensor(values, dtype=torch.float64)
    return list(all_gather(own, ranks, [tuple(own.shape)] * ranks.world_size))


def _operands(problem: ConvProblem) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.empty(problem.mini_batch_size, problem.in_channels, *problem.input_size)
    w = torch.empty(problem.weight_shape)
    return x.normal_(generator=generator), w.normal_(generator=generator)


def _at_all_sizes(known: list[int], measured: list[float], size: int) -> list[float]:
    """Return the times for 0 to ``size`` examples, by lines between the measured."""
    points = [(0, 0.0), *zip(known, measured, strict=True)]
    filled = [0.0]
    for (left, left_s), (right, right_s) in itertools.pairwise(points):
        for number in range(left + 1, right + 1):
            share = (number - left) / (right - left)
            filled.append(left_s + share * (right_s - left_s))
    assert len(filled) == size + 1
    return filled
