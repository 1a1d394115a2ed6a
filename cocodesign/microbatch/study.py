"""What micro-batching gains on this machine, as metrics and tables of a record."""

import copy
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cocodesign.microbatch.algorithms import CPU_ALGORITHMS
from cocodesign.microbatch.allocations import MemoryTrace
from cocodesign.microbatch.comparison import LimitOutcome, compare_limits
from cocodesign.microbatch.division import Candidate, Division
from cocodesign.microbatch.layers import apply_plan
from cocodesign.microbatch.measurement import candidates_of
from cocodesign.microbatch.model_planning import plan_model
from cocodesign.microbatch.pareto import pareto_front
from cocodesign.microbatch.plan import MicroBatchPlan
from cocodesign.microbatch.planning import allowed_workspaces
from cocodesign.microbatch.problem import ConvProblem
from cocodesign.microbatch.step import Loss, mean_square, measure_peak
from cocodesign.microbatch.timings import Timings
from cocodesign.results import Column, Measurement

MIB = 1 << 20
_NUM_TIMELINE_POINTS = 400  # a figure should not carry every allocation


@dataclass(frozen=True)
class LayerStudy:
    """Some layers' forward passes under several workspace limits.

    Attributes:
        candidates: What was measured, by layer.
        outcomes: Per layer and limit, the limits in the same order for every layer.
    """

    candidates: dict[ConvProblem, tuple[Candidate, ...]]
    outcomes: tuple[LimitOutcome, ...]

    def metrics(self) -> dict[str, Measurement]:
        """Average the gains over the layers.

        Returns:
            By limit the geometric means: ``gain_vs_undivided_<limit>`` compares with
            the fastest algorithm that fits without dividing, ``gain_vs_torch_<limit>``
            with torch's own convolution.
        """
        metrics: dict[str, Measurement] = {}
        for limit in dict.fromkeys(
            each.workspace_limit_bytes for each in self.outcomes
        ):
            some = [one for one in self.outcomes if one.workspace_limit_bytes == limit]
            name = limit_name(limit)
            for against in ("undivided", "torch"):
                gains = [getattr(one, f"gain_vs_{against}") for one in some]
                metrics[f"gain_vs_{against}_{name}"] = Measurement(
                    (math.exp(statistics.fmean(map(math.log, gains))),),
                    "x",
                    note=f"geometric mean over {len(some)} layers, "
                    f"{min(gains):.2f} to {max(gains):.2f}",
                )
        return metrics

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return ``layers``, a row per layer and limit, and ``fronts``."""
        fronts = [
            (problem, kind, division)
            for problem, candidates in self.candidates.items()
            for kind, division in _both_fronts(problem, candidates)
        ]
        return {
            "layers": {
                "layer": [one.problem.label for one in self.outcomes],
                "limit": [
                    limit_name(one.workspace_limit_bytes) for one in self.outcomes
                ],
                "divided": [str(one.divided) for one in self.outcomes],
                "undivided": [str(one.undivided) for one in self.outcomes],
                "gain_vs_undivided": [one.gain_vs_undivided for one in self.outcomes],
                "gain_vs_torch": [one.gain_vs_torch for one in self.outcomes],
            },
            "fronts": {
                "layer": [problem.label for problem, _, _ in fronts],
                "kind": [kind for _, kind, _ in fronts],
                "workspace_bytes": [each.workspace_bytes for _, _, each in fronts],
                "time_s": [each.time_s for _, _, each in fronts],
                "division": [str(each) for _, _, each in fronts],
            },
        }


@dataclass(frozen=True)
class StepStudy:
    """A training step with and without a plan, in the same memory.

    Attributes:
        name: The network's name.
        plan: The plan.
        native: What torch's own step allocates over time.
        planned: What the planned step allocates.
        gains: Torch's time over the plan's, round by round.
    """

    name: str
    plan: MicroBatchPlan
    native: MemoryTrace
    planned: MemoryTrace
    gains: tuple[float, ...]

    def metrics(self) -> dict[str, Measurement]:
        """Return the gain and how well the peak was predicted."""
        predicted = self.plan.predicted_peak_bytes
        assert predicted is not None
        peak = self.planned.peak_bytes
        return {
            f"{self.name}_step_gain": Measurement(
                self.gains, "x", note="torch's step over the planned one, same memory"
            ),
            f"{self.name}_peak_ratio": Measurement(
                (peak / self.native.peak_bytes,), "x", note="planned over torch's"
            ),
            f"{self.name}_peak_error": Measurement(
                (abs(predicted - peak) / peak,), "fraction"
            ),
        }

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return ``<name>_memory``, both timelines, and ``<name>_kernels``."""
        lines = [
            (kind, second, live)
            for kind, trace in (("torch", self.native), ("planned", self.planned))
            for second, live in thinned(trace)
        ]
        kernels = [
            (layer.name, direction, division)
            for layer in self.plan.layers
            for direction, division in layer.divisions.items()
        ]
        return {
            f"{self.name}_memory": {
                "kind": [kind for kind, _, _ in lines],
                "second": [round(second, 6) for _, second, _ in lines],
                "live_bytes": [live for _, _, live in lines],
            },
            f"{self.name}_kernels": {
                "layer": [name for name, _, _ in kernels],
                "direction": [direction for _, direction, _ in kernels],
                "division": [str(division) for _, _, division in kernels],
                "workspace_bytes": [each.workspace_bytes for _, _, each in kernels],
            },
        }


def study_layers(
    problems: Sequence[ConvProblem],
    workspace_limits_bytes: Sequence[int | None],
    *,
    repetitions: int = 3,
    timings: Timings | None = None,
) -> LayerStudy:
    """Measure the forward passes of some layers and plan them under several limits.

    Args:
        problems: The layers.
        workspace_limits_bytes: The limits; ``None`` for no limit.
        repetitions: The most runs behind a timing.
        timings: What is known already.

    Returns:
        The study.
    """
    timings = timings or Timings(repetitions=repetitions)
    finite = [limit for limit in workspace_limits_bytes if limit is not None]
    is_limited = len(finite) == len(workspace_limits_bytes)
    largest = max(finite) if is_limited else None
    candidates: dict[ConvProblem, tuple[Candidate, ...]] = {}
    outcomes: list[LimitOutcome] = []
    for problem in problems:
        allowed = allowed_workspaces(problem, "forward", "power_of_two", largest)
        candidates[problem] = candidates_of(
            [
                timings.get(problem, "forward", algorithm, size)
                for algorithm in CPU_ALGORITHMS
                for size in allowed.get(algorithm.name, ())
            ]
        )
        outcomes += compare_limits(problem, workspace_limits_bytes, timings=timings)
    return LayerStudy(candidates, tuple(outcomes))


def study_step(
    name: str,
    model: nn.Module,
    x: Tensor,
    *,
    loss: Loss = mean_square,
    num_rounds: int = 5,
    repetitions: int = 3,
    timings: Timings | None = None,
) -> StepStudy:
    """Plan a model's training step within the memory of torch's own, and time both.

    Forward and backward pass are timed in turns, without an optimizer.

    Args:
        name: The network's name, as metrics shall call it.
        model: The model, in training mode; it is not changed.
        x: A mini-batch.
        loss: Turns the output into a number.
        num_rounds: Pairs of timed steps.
        repetitions: The most runs behind a timing of the plan.
        timings: What is known already.

    Returns:
        The study.
    """
    timings = timings or Timings(repetitions=repetitions)
    native = copy.deepcopy(model)
    own = measure_peak(native, x, loss=loss)
    plan = plan_model(
        model, x, step_limit_bytes=own.peak_bytes, loss=loss, timings=timings
    )
    planned = apply_plan(copy.deepcopy(model), plan)
    trace = measure_peak(planned, x, loss=loss)
    gains: list[float] = []
    for number in range(1 + num_rounds):
        order = (native, planned) if number % 2 else (planned, native)
        seconds = {id(each): _step_s(each, x, loss) for each in order}
        if number:  # the first round warms up
            gains.append(seconds[id(native)] / seconds[id(planned)])
    return StepStudy(name, plan, own, trace, tuple(gains))


def limit_name(limit_bytes: int | None) -> str:
    """Return a limit as metrics name it, such as ``64_mib`` or ``unlimited``."""
    return "unlimited" if limit_bytes is None else f"{limit_bytes // MIB}_mib"


def thinned(trace: MemoryTrace) -> list[tuple[float, int]]:
    """Return a trace in few points, the highest of each stretch of time.

    Args:
        trace: The trace.

    Returns:
        Seconds and bytes.
    """
    points = list(zip(trace.seconds, trace.live_bytes, strict=True))
    length = max(1, -(-len(points) // _NUM_TIMELINE_POINTS))
    stretches = (points[i : i + length] for i in range(0, len(points), length))
    return [max(stretch, key=lambda point: point[1]) for stretch in stretches]


def _step_s(model: nn.Module, x: Tensor, loss: Loss) -> float:
    one_thread = torch.get_num_threads() == 1
    clock = time.process_time if one_thread else time.perf_counter
    model.zero_grad(set_to_none=True)
    started = clock()
    loss(model(x)).backward()
    return clock() - started


def _both_fronts(
    problem: ConvProblem, candidates: Sequence[Candidate]
) -> list[tuple[str, Division]]:
    total = problem.mini_batch_size
    whole = [each for each in candidates if each.micro_batch_size == total]
    return [
        (kind, division)
        for kind, some in (("undivided", whole), ("divided", candidates))
        for division in pareto_front(some, total)
    ]
