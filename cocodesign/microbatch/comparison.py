"""What dividing gains on one layer, side by side with what is possible without it."""

from collections.abc import Sequence
from dataclasses import dataclass

from cocodesign.microbatch.algorithms import DIRECT
from cocodesign.microbatch.division import Division, Part
from cocodesign.microbatch.measurement import measure_gain
from cocodesign.microbatch.planner import Policy
from cocodesign.microbatch.planning import plan_convolution
from cocodesign.microbatch.problem import ConvProblem, Direction
from cocodesign.microbatch.timings import Timings


@dataclass(frozen=True)
class LimitOutcome:
    """One layer and direction under one workspace limit.

    Attributes:
        problem: The sizes.
        direction: Which pass.
        workspace_limit_bytes: The limit; ``None`` for none.
        divided: The planned division.
        undivided: The fastest algorithm for the whole mini-batch within the limit.
        gain_vs_undivided: Time of ``undivided`` over that of ``divided``, side by side;
            1 if they are the same.
        gain_vs_torch: The same for torch's own convolution.
    """

    problem: ConvProblem
    direction: Direction
    workspace_limit_bytes: int | None
    divided: Division
    undivided: Division
    gain_vs_undivided: float
    gain_vs_torch: float


def compare_limits(
    problem: ConvProblem,
    workspace_limits_bytes: Sequence[int | None],
    *,
    directions: Sequence[Direction] = ("forward",),
    policy: Policy = "power_of_two",
    timings: Timings | None = None,
) -> tuple[LimitOutcome, ...]:
    """Plan a layer under several limits with and without dividing, and time both.

    The gains are measured afresh, after the choice, the sides in turns.

    Args:
        problem: The sizes.
        workspace_limits_bytes: The limits.
        directions: Which passes.
        policy: Which micro-batch sizes are allowed.
        timings: What is known already.

    Returns:
        One outcome per direction and limit.
    """
    timings = timings or Timings()
    whole = (Part(DIRECT.name, problem.mini_batch_size),)
    outcomes: list[LimitOutcome] = []
    for limit in workspace_limits_bytes:
        divided, undivided = (
            plan_convolution(
                problem,
                workspace_limit_bytes=limit,
                policy=each,
                directions=directions,
                timings=timings,
            ).divisions
            for each in (policy, "undivided")
        )
        outcomes += [
            LimitOutcome(
                problem,
                direction,
                limit,
                divided[direction],
                undivided[direction],
                *(
                    _gain(problem, direction, divided[direction].parts, side)
                    for side in (undivided[direction].parts, whole)
                ),
            )
            for direction in directions
        ]
    return tuple(outcomes)


def _gain(
    problem: ConvProblem,
    direction: Direction,
    parts: Sequence[Part],
    baseline: Sequence[Part],
) -> float:
    if tuple(parts) == tuple(baseline):
        return 1.0
    return measure_gain(problem, direction, parts, baseline)
