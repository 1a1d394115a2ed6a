"""The plan of one convolution, from measurements."""

import math
from collections.abc import Sequence

from cocodesign.microbatch.algorithms import (
    CPU_ALGORITHMS,
    DIRECT,
    Algorithm,
    algorithm_named,
)
from cocodesign.microbatch.division import Candidate, Division, Part
from cocodesign.microbatch.frugality import frugal_division
from cocodesign.microbatch.measurement import candidates_of
from cocodesign.microbatch.plan import LayerPlan
from cocodesign.microbatch.planner import Policy, candidate_sizes
from cocodesign.microbatch.problem import DIRECTIONS, ConvProblem, Direction
from cocodesign.microbatch.timings import Timings

LEAST_GAIN = 1.02  # below this a division is not worth more than torch's own call


def plan_convolution(
    problem: ConvProblem,
    *,
    workspace_limit_bytes: int | None = None,
    policy: Policy = "power_of_two",
    directions: Sequence[Direction] = DIRECTIONS,
    max_error: float = math.inf,
    timings: Timings | None = None,
    name: str = "convolution",
) -> LayerPlan:
    """Measure a convolution on this machine and divide its mini-batch.

    Where the division found is not at least 2 % faster than torch's own undivided call,
    side by side, that call is planned: a plan never slows a layer down by more than
    noise.

    Args:
        problem: The sizes.
        workspace_limit_bytes: The most scratch memory of a kernel; ``None`` for no
            limit. What torch's own convolution takes for itself does not count.
        policy: Which micro-batch sizes are allowed.
        directions: Which passes to plan.
        max_error: Algorithms with a larger bound on the relative error are not used;
            see ``Algorithm.error_bound``.
        timings: What is known already; measured anew if ``None``.
        name: The layer's name in the plan.

    Returns:
        The plan.

    Raises:
        InfeasiblePlanError: If ``max_error`` excludes even torch's own convolution.

    Example:
        >>> problem = ConvProblem.square(2, 3, 4, size=8, kernel=1)
        >>> plan = plan_convolution(problem, workspace_limit_bytes=1 << 20)
        >>> sum(part.micro_batch_size for part in plan.divisions["forward"].parts)
        2
    """
    timings = timings or Timings()
    divisions: dict[Direction, Division] = {}
    for direction in directions:
        workspaces = allowed_workspaces(
            problem, direction, policy, workspace_limit_bytes
        )

        def timed(
            algorithm: str, size: int, direction: Direction = direction
        ) -> Candidate:
            found = timings.get(problem, direction, algorithm_named(algorithm), size)
            return candidates_of([found])[0]

        division, _ = frugal_division(
            workspaces,
            timed,
            problem.mini_batch_size,
            workspace_limit_bytes,
            max_error=max_error,
        )
        divisions[direction] = _confirmed(problem, direction, division, timings)
    return LayerPlan(name, problem, divisions)


def allowed_workspaces(
    problem: ConvProblem,
    direction: Direction,
    policy: Policy,
    workspace_limit_bytes: int | None = None,
    algorithms: Sequence[Algorithm] = CPU_ALGORITHMS,
) -> dict[str, dict[int, int]]:
    """Return what may be measured: what is supported, allowed and fits.

    Args:
        problem: The sizes.
        direction: Which pass.
        policy: Which micro-batch sizes are allowed.
        workspace_limit_bytes: The limit; ``None`` for none.
        algorithms: What there is.

    Returns:
        Expected workspace in bytes by algorithm and micro-batch size.
    """
    allowed: dict[str, dict[int, int]] = {}
    for algorithm in algorithms:
        if not algorithm.supports(problem, direction):
            continue
        sizes = {
            size: algorithm.workspace_bytes(problem, direction, size)
            for size in candidate_sizes(problem.mini_batch_size, policy)
        }
        fitting = {
            size: size_bytes
            for size, size_bytes in sizes.items()
            if workspace_limit_bytes is None or size_bytes <= workspace_limit_bytes
        }
        if fitting:
            allowed[algorithm.name] = fitting
    return allowed


def _confirmed(
    problem: ConvProblem, direction: Direction, division: Division, timings: Timings
) -> Division:
    """Return the division if it beats torch's own call side by side, else that call.

    Timings are chosen for being small, so the smallest ones are too small on average;
    and they were not taken at the same time.
    """
    whole = (Part(DIRECT.name, problem.mini_batch_size),)
    if division.parts == whole:
        return division
    gain = timings.gain(problem, direction, division.parts, whole)
    if gain >= LEAST_GAIN:
        return division
    own = timings.get(problem, direction, DIRECT, problem.mini_batch_size)
    return Division(whole, own.run_s, own.workspace_bytes, own.error_bound)
