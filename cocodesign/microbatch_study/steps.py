"""A training step with and without a plan, as metrics and tables."""

import copy
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cocodesign.microbatch.allocations import MemoryTrace
from cocodesign.microbatch.layers import apply_plan
from cocodesign.microbatch.model_planning import plan_model
from cocodesign.microbatch.plan import MicroBatchPlan
from cocodesign.microbatch.step import Loss, mean_square, measure_peak
from cocodesign.microbatch.timings import Timings
from cocodesign.results import Column, Measurement

_NUM_TIMELINE_POINTS = 400  # a figure should not carry every allocation


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
