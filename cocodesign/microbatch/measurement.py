"""Time and scratch memory of an algorithm at a micro-batch size, measured.

A timing is the median of repetitions after a warm-up. With one thread it is of the
processor's time, which other programs do not lengthen; with several, of the wall clock.
All tensors are made beforehand and reused: where results are allocated afresh, the C
library's handling of large blocks would be timed as well, and dividing would seem to
help where it only avoids new pages.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from cocodesign.microbatch.algorithms import DIRECT, Algorithm
from cocodesign.microbatch.allocations import trace_memory
from cocodesign.microbatch.division import Candidate, Part
from cocodesign.microbatch.execution import convolve
from cocodesign.microbatch.problem import ConvProblem, Direction

_ENOUGH_S = 0.2  # seconds of repetitions after which no more are made


@dataclass(frozen=True)
class Timing:
    """What one algorithm took for one micro-batch in one direction.

    Attributes:
        algorithm: Its name.
        micro_batch_size: Examples per run.
        run_s: Median seconds of a run, without the setup.
        setup_s: Median seconds of the setup.
        workspace_bytes: Scratch memory that counts against a workspace limit. What
            torch's own convolution allocates for itself does not: it is what runs
            without a plan, and no limit can refuse it.
        scratch_bytes: All scratch memory that was seen, that of torch included.
        error_bound: Bound on the relative error.
    """

    algorithm: str
    micro_batch_size: int
    run_s: float
    setup_s: float
    workspace_bytes: int
    scratch_bytes: int
    error_bound: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return asdict(self)


def candidates_of(
    timings: Sequence[Timing], *, counts_all_scratch: bool = False
) -> tuple[Candidate, ...]:
    """Return timings of one kernel as what the planner chooses from.

    An algorithm's setup is the same whatever the micro-batch, so the median of its
    timings is taken for all of them.

    Args:
        timings: All of one problem and direction.
        counts_all_scratch: Whether torch's own scratch counts as workspace, as it must
            where a whole step has to fit into a memory.

    Returns:
        The candidates, in the same order.
    """
    setups: dict[str, list[float]] = {}
    for timing in timings:
        setups.setdefault(timing.algorithm, []).append(timing.setup_s)
    return tuple(
        Candidate(
            timing.algorithm,
            timing.micro_batch_size,
            timing.run_s,
            timing.scratch_bytes if counts_all_scratch else timing.workspace_bytes,
            statistics.median(setups[timing.algorithm]),
            timing.error_bound,
        )
        for timing in timings
    )


def measure(
    problem: ConvProblem,
    direction: Direction,
    algorithm: Algorithm,
    micro_batch_size: int,
    *,
    repetitions: int = 5,
) -> Timing:
    """Time an algorithm on random data and trace its scratch memory.

    Args:
        problem: The sizes; of the mini-batch only ``micro_batch_size`` is made.
        direction: Which pass.
        algorithm: One that supports both.
        micro_batch_size: Examples per run, at most the mini-batch.
        repetitions: The most runs that are timed; few are if they are long.

    Returns:
        The timing.

    Raises:
        ValueError: If the micro-batch is larger than the mini-batch, or the algorithm
            does not support the problem.
    """
    if not 1 <= micro_batch_size <= problem.mini_batch_size:
        raise ValueError(
            f"micro_batch_size must be 1 to {problem.mini_batch_size}, "
            f"got {micro_batch_size}"
        )
    if not algorithm.supports(problem, direction):
        raise ValueError(
            f"{algorithm.name} does not support {problem.label} {direction}"
        )
    first, second, result = _operands(problem, direction, micro_batch_size)
    if algorithm is DIRECT and micro_batch_size == problem.mini_batch_size:
        parts = (Part(DIRECT.name, micro_batch_size),)
        work = _Undivided(lambda: convolve(problem, direction, first, second, parts))
    elif direction == "backward_filter":
        work = _Summed(problem, algorithm, first, second)
    else:
        work = _Mapped(problem, direction, algorithm, first, second, result)
    work.once()
    trace = trace_memory(work.once)
    scratch = trace.peak_bytes
    if direction == "backward_filter" or isinstance(work, _Undivided):
        scratch -= result.nbytes  # is allocated inside, but is no scratch
    runs, setups = work.seconds(repetitions)
    counted = scratch
    if algorithm is DIRECT:
        counted = DIRECT.workspace_bytes(problem, direction, micro_batch_size)
    return Timing(
        algorithm.name,
        micro_batch_size,
        run_s=statistics.median(runs),
        setup_s=statistics.median(setups),
        workspace_bytes=max(counted, 0),
        scratch_bytes=max(scratch, 0),
        error_bound=algorithm.error_bound(problem, direction),
    )


def measure_gain(
    problem: ConvProblem,
    direction: Direction,
    parts: Sequence[Part],
    baseline: Sequence[Part],
    *,
    rounds: int = 5,
) -> float:
    """Time a division and another one in turns, on the whole mini-batch.

    Args:
        problem: The sizes.
        direction: Which pass.
        parts: The division.
        baseline: The other one.
        rounds: The most pairs of runs; few if they are long, three at least.

    Returns:
        The median over the rounds of the baseline's time over the division's.
    """
    first, second, _ = _operands(problem, direction, problem.mini_batch_size)
    sides = [
        lambda: convolve(problem, direction, first, second, parts),
        lambda: convolve(problem, direction, first, second, baseline),
    ]
    ratios: list[float] = []
    spent_s = 0.0
    for number in range(1 + rounds):
        order = (0, 1) if number % 2 else (1, 0)
        seconds = [0.0, 0.0]
        for side in order:
            start = _clock()
            sides[side]()
            seconds[side] = _clock() - start
        if number:  # the first round warms up
            ratios.append(seconds[1] / seconds[0])
            spent_s += sum(seconds)
        if len(ratios) >= 3 and spent_s > _ENOUGH_S:
            break
    return statistics.median(ratios)


def _operands(
    problem: ConvProblem, direction: Direction, num_examples: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return both operands with random content, and room for the result."""
    generator = torch.Generator().manual_seed(0)
    dtype = getattr(torch, problem.dtype)
    x_shape = (num_examples, problem.in_channels, *problem.input_size)
    y_shape = (num_examples, problem.out_channels, *problem.output_size)
    shapes = {
        "forward": (x_shape, problem.weight_shape, y_shape),
        "backward_data": (y_shape, problem.weight_shape, x_shape),
        "backward_filter": (x_shape, y_shape, problem.weight_shape),
    }[direction]
    first, second, result = (
        torch.empty(shape, dtype=dtype).normal_(generator=generator) for shape in shapes
    )
    return first, second, result


class _Undivided:
    """torch's own call, which has no setup."""

    def __init__(self, call: Callable[[], Tensor]) -> None:
        self.once = call

    def seconds(self, repetitions: int) -> tuple[list[float], list[float]]:
        return _repeat(self.once, repetitions), [0.0]


class _Mapped:
    def __init__(
        self,
        problem: ConvProblem,
        direction: Direction,
        algorithm: Algorithm,
        source: Tensor,
        w: Tensor,
        target: Tensor,
    ) -> None:
        self._prepare = lambda: algorithm.map_kernel(problem, direction, len(source), w)
        self._source = source
        self._target = target

    def once(self) -> None:
        self._prepare().run(self._source, self._target)

    def seconds(self, repetitions: int) -> tuple[list[float], list[float]]:
        setups = _repeat(self._prepare, repetitions)
        kernel = self._prepare()
        runs = _repeat(lambda: kernel.run(self._source, self._target), repetitions)
        return runs, setups


class _Summed:
    def __init__(
        self, problem: ConvProblem, algorithm: Algorithm, x: Tensor, dy: Tensor
    ) -> None:
        self._prepare = lambda: algorithm.sum_kernel(problem, len(x), x)
        self._x = x
        self._dy = dy

    def once(self) -> Tensor:
        kernel = self._prepare()
        kernel.add(self._x, self._dy)
        return kernel.total()

    def seconds(self, repetitions: int) -> tuple[list[float], list[float]]:
        prepared = _repeat(self._prepare, repetitions)
        kernel = self._prepare()
        kernel.add(self._x, self._dy)  # the first one may be cheaper than the others
        runs = _repeat(lambda: kernel.add(self._x, self._dy), repetitions)
        totals = _repeat(kernel.total, repetitions)
        return runs, [statistics.median(prepared) + statistics.median(totals)]


def _clock() -> float:
    """Return seconds from an arbitrary start."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def _repeat(call: Callable[[], object], repetitions: int) -> list[float]:
    """Time a call several times, fewer times if it is long."""
    seconds: list[float] = []
    while len(seconds) < repetitions and (len(seconds) < 2 or sum(seconds) < _ENOUGH_S):
        start = _clock()
        call()
        seconds.append(_clock() - start)
    return seconds
