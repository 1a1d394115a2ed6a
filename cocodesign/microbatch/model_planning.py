"""The plan of all convolutions of a model."""

import math
from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from cocodesign.microbatch.algorithms import CPU_ALGORITHMS, DIRECT
from cocodesign.microbatch.budget import StepPlan, plan_step
from cocodesign.microbatch.division import Division, Part
from cocodesign.microbatch.measurement import candidates_of
from cocodesign.microbatch.pareto import pareto_front
from cocodesign.microbatch.plan import LayerPlan, MicroBatchPlan
from cocodesign.microbatch.planner import Policy
from cocodesign.microbatch.planning import (
    LEAST_GAIN,
    allowed_workspaces,
    plan_convolution,
)
from cocodesign.microbatch.problem import DIRECTIONS, ConvProblem, Direction
from cocodesign.microbatch.step import (
    LayerUse,
    Loss,
    layer_uses,
    mean_square,
    observe_step,
)
from cocodesign.microbatch.timings import Timings, describe_machine


def plan_model(
    model: nn.Module,
    example_input: Tensor,
    *,
    workspace_limit_bytes: int | None = None,
    step_limit_bytes: int | None = None,
    policy: Policy = "power_of_two",
    max_error: float = math.inf,
    recomputable: Sequence[str] = (),
    loss: Loss = mean_square,
    timings: Timings | None = None,
) -> MicroBatchPlan:
    """Measure the convolutions of a model on this machine and divide its mini-batch.

    There are two kinds of limit. With ``workspace_limit_bytes`` every kernel may use so
    much scratch memory. With ``step_limit_bytes`` a whole training step has to fit:
    each kernel may use what activations and gradients leave free at its moment, and
    modules named in ``recomputable`` may drop their activations and compute them again
    if that pays. Without either, the fastest divisions are taken.

    Args:
        model: The model in the mode that it will run in; it is not changed.
        example_input: A mini-batch as it will come, on the CPU.
        workspace_limit_bytes: The most scratch memory of any kernel.
        step_limit_bytes: The most that a step may allocate beyond what is there at its
            beginning; of the optimizer's own step nothing is known here.
        policy: Which micro-batch sizes are allowed.
        max_error: Algorithms with a larger bound on the relative error are not used.
        recomputable: Names of modules whose inputs and output are single tensors, none
            inside another.
        loss: Turns the model's output into a number, for the step that is traced.
        timings: What is known already; measured anew if ``None``.

    Returns:
        The plan.

    Raises:
        InfeasiblePlanError: If nothing fits into ``step_limit_bytes``.
        ValueError: If both limits are given, the model has no convolution, a module to
            recompute is unknown or inside another, or a layer sees inputs of several
            shapes while a step's limit is given.
    """
    if workspace_limit_bytes is not None and step_limit_bytes is not None:
        raise ValueError(
            "give workspace_limit_bytes or step_limit_bytes, not both: the limit of a "
            "step already limits every workspace"
        )
    _check_blocks(model, recomputable)
    timings = timings or Timings()
    uses = layer_uses(model, example_input)
    if not uses:
        raise ValueError("the model has no convolution that sees a mini-batch")
    if step_limit_bytes is None:
        layers = [
            plan_use(
                use,
                timings,
                workspace_limit_bytes=workspace_limit_bytes,
                policy=policy,
                max_error=max_error,
            )
            for use in uses
        ]
        return MicroBatchPlan(
            tuple(layers),
            describe_machine(),
            policy,
            workspace_limit_bytes=workspace_limit_bytes,
        )
    names = [use.name for use in uses]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{', '.join(twice)} see inputs of several shapes, which a step's plan "
            "cannot tell apart: give workspace_limit_bytes instead"
        )
    observed = observe_step(
        model, example_input, uses, loss=loss, recomputable=recomputable
    )
    fronts = {
        f"{use.name}/{direction}": front(
            use.problem, direction, timings, policy=policy, max_error=max_error
        )
        for use in uses
        for direction in use.directions
    }
    problems = {use.name: use.problem for use in uses}
    while True:
        plan = plan_step(observed.moments, fronts, step_limit_bytes, observed.blocks)
        if not _drop_disproved(fronts, plan.divisions, problems, timings):
            break
    return MicroBatchPlan(
        tuple(_layer_plan(use, plan) for use in uses),
        describe_machine(),
        policy,
        step_limit_bytes=step_limit_bytes,
        recomputed=plan.recomputed,
        predicted_peak_bytes=plan.peak_bytes,
        lower_bound_s=plan.lower_bound_s,
    )


def plan_use(
    use: LayerUse,
    timings: Timings,
    *,
    workspace_limit_bytes: int | None,
    policy: Policy,
    max_error: float,
) -> LayerPlan:
    """Plan one layer under a limit of its own."""
    plan = plan_convolution(
        use.problem,
        workspace_limit_bytes=workspace_limit_bytes,
        policy=policy,
        directions=use.directions,
        max_error=max_error,
        timings=timings,
        name=use.name,
    )
    return LayerPlan(use.name, use.problem, plan.divisions, use.is_transposed)


def front(
    problem: ConvProblem,
    direction: Direction,
    timings: Timings,
    *,
    policy: Policy,
    max_error: float = math.inf,
    workspace_limit_bytes: int | None = None,
    counts_all_scratch: bool = True,
) -> tuple[Division, ...]:
    """Measure everything that is allowed and return the front of its divisions.

    Args:
        problem: The sizes.
        direction: Which pass.
        timings: What is known already.
        policy: Which micro-batch sizes are allowed.
        max_error: Algorithms with a larger error bound are not used.
        workspace_limit_bytes: Leave out what is expected to need more.
        counts_all_scratch: Whether torch's own scratch counts as workspace.

    Returns:
        The divisions by rising workspace and falling time.
    """
    allowed = allowed_workspaces(problem, direction, policy, workspace_limit_bytes)
    measured = [
        timings.get(problem, direction, algorithm, size)
        for algorithm in CPU_ALGORITHMS
        for size in allowed.get(algorithm.name, ())
    ]
    exact_enough = [each for each in measured if each.error_bound <= max_error]
    candidates = candidates_of(exact_enough, counts_all_scratch=counts_all_scratch)
    return pareto_front(candidates, problem.mini_batch_size)


def _drop_disproved(
    fronts: dict[str, tuple[Division, ...]],
    chosen: Mapping[str, Division],
    problems: Mapping[str, ConvProblem],
    timings: Timings,
) -> bool:
    """Take chosen divisions off their fronts that torch's own call is as fast as.

    The side-by-side timing decides, as in ``plan_convolution``. A division that needs
    less memory than torch's call stays, however slow.

    Returns:
        Whether any was taken off, so that the step has to be planned again.
    """
    is_changed = False
    for kernel, division in chosen.items():
        name, _, pass_name = kernel.rpartition("/")
        direction = DIRECTIONS[DIRECTIONS.index(cast("Direction", pass_name))]
        whole = (Part(DIRECT.name, division.mini_batch_size),)
        own = next((one for one in fronts[kernel] if one.parts == whole), None)
        if own is None or own.workspace_bytes > division.workspace_bytes:
            continue
        if division.parts == whole:
            continue
        gain = timings.gain(problems[name], direction, division.parts, whole)
        if gain < LEAST_GAIN:
            kept = (one for one in fronts[kernel] if one != division)
            fronts[kernel] = tuple(kept)
            is_changed = True
    return is_changed


def _layer_plan(use: LayerUse, plan: StepPlan) -> LayerPlan:
    divisions: Mapping[Direction, Division] = {
        direction: plan.divisions[f"{use.name}/{direction}"]
        for direction in use.directions
    }
    return LayerPlan(use.name, use.problem, divisions, use.is_transposed)


def _check_blocks(model: nn.Module, names: Sequence[str]) -> None:
    known = dict(model.named_modules())
    for name in names:
        if name not in known:
            raise ValueError(f"the model has no module {name!r} to recompute")
        for other in names:
            if name.startswith(f"{other}."):
                raise ValueError(
                    f"{name!r} is inside {other!r}: name only one of them to recompute"
                )
