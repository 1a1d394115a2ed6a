r"""One budget of workspace for several kernels at once, with a certificate.

Kernels that run at the same time, or that each keep a workspace of their own, share a
total of W bytes. Choosing one division per kernel is a multiple-choice knapsack,

    min Σ_k Σ_c t_kc x_kc    s.t.    Σ_c x_kc = 1 for all k,    Σ_k Σ_c m_kc x_kc ≤ W,

with binary x ("Workspace Division" of Oyama et al. (2018), arXiv:1804.04806, Section
III.C). Kernels that run one after the other in one arena need none of this: each may
take W by itself, which is never slower (``planner.best_division``).

The relaxation to real x is solved exactly by its structure: on each front's lower
convex hull the time per byte falls, so the steepest steps of all hulls are taken until
W is spent. That bounds the optimum from below, and without the last, broken step it is
a solution; only where the two are too far apart does HiGHS search on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.division import Division


@dataclass(frozen=True)
class SharedPlan:
    """One division per kernel within a common budget.

    Attributes:
        divisions: In the order of the kernels.
        time_s: Their total time.
        workspace_bytes: Their total workspace.
        lower_bound_s: No choice within the budget is faster than this.
    """

    divisions: tuple[Division, ...]
    time_s: float
    workspace_bytes: int
    lower_bound_s: float

    @property
    def gap_fraction(self) -> float:
        """How far the time is above the bound, as a fraction of the time."""
        return (self.time_s - self.lower_bound_s) / self.time_s if self.time_s else 0.0


def share_workspace(
    fronts: Sequence[Sequence[Division]],
    total_bytes: int,
    *,
    gap_fraction: float = 1e-3,
    time_limit_s: float = 60.0,
) -> SharedPlan:
    """Divide a workspace over kernels so that their total time is least.

    Args:
        fronts: Per kernel, divisions by rising workspace and falling time, as
            ``pareto_front`` gives them.
        total_bytes: W.
        gap_fraction: How far from optimal is good enough; 0 asks for the optimum.
        time_limit_s: For the search, if there is one; the best found so far counts.

    Returns:
        The plan with its certificate.

    Raises:
        InfeasiblePlanError: If the leanest divisions together need more than W.
    """
    leanest = sum(front[0].workspace_bytes for front in fronts)
    if leanest > total_bytes:
        raise InfeasiblePlanError(
            f"the leanest divisions of {len(fronts)} kernels need {leanest:,} bytes "
            f"together, the limit is {total_bytes:,}: raise it, or measure smaller "
            "micro-batches"
        )
    chosen, bound_s = _along_hulls(fronts, total_bytes)
    plan = _plan(fronts, chosen, bound_s)
    if plan.gap_fraction <= gap_fraction:
        return plan
    return _searched(fronts, total_bytes, plan, gap_fraction, time_limit_s)


def _plan(
    fronts: Sequence[Sequence[Division]], chosen: Sequence[int], bound_s: float
) -> SharedPlan:
    divisions = tuple(front[index] for front, index in zip(fronts, chosen, strict=True))
    time_s = math.fsum(division.time_s for division in divisions)
    return SharedPlan(
        divisions,
        time_s,
        sum(division.workspace_bytes for division in divisions),
        min(bound_s, time_s),  # they may differ by roundings
    )


def _along_hulls(
    fronts: Sequence[Sequence[Division]], total_bytes: int
) -> tuple[list[int], float]:
    """Solve the relaxation, and round it down to a choice."""
    chosen = [0] * len(fronts)
    bound_s = math.fsum(front[0].time_s for front in fronts)
    rest = total_bytes - sum(front[0].workspace_bytes for front in fronts)
    steps: list[tuple[float, int, int, int, float]] = []
    for kernel, front in enumerate(fronts):
        hull = _lower_hull(front)
        for start, stop in pairwise(hull):
            size = front[stop].workspace_bytes - front[start].workspace_bytes
            saved_s = front[start].time_s - front[stop].time_s
            steps.append((-saved_s / size, kernel, stop, size, saved_s))
    is_whole = True
    for _, kernel, stop, size, saved_s in sorted(steps):
        if size <= rest and is_whole:
            bound_s -= saved_s
        elif is_whole:
            bound_s -= saved_s * rest / size
            is_whole = False
        # Past the broken step smaller ones may still fit, for the choice alone.
        if size <= rest and _is_next(fronts[kernel], chosen[kernel], stop, size):
            chosen[kernel] = stop
            rest -= size
    return chosen, bound_s


def _is_next(front: Sequence[Division], current: int, stop: int, size: int) -> bool:
    """Say whether a step starts where the kernel stands, none left out before."""
    return front[stop].workspace_bytes - front[current].workspace_bytes == size


def _lower_hull(front: Sequence[Division]) -> list[int]:
    """Return the indices of the front's lower convex hull."""
    hull: list[int] = []
    for index, point in enumerate(front):
        while len(hull) > 1 and _is_above(front[hull[-2]], front[hull[-1]], point):
            hull.pop()
        hull.append(index)
    return hull


def _is_above(first: Division, middle: Division, last: Division) -> bool:
    """Say whether ``middle`` lies on or above the line from ``first`` to ``last``."""
    run = last.workspace_bytes - first.workspace_bytes
    at = middle.workspace_bytes - first.workspace_bytes
    return (middle.time_s - first.time_s) * run >= (last.time_s - first.time_s) * at


def _searched(
    fronts: Sequence[Sequence[Division]],
    total_bytes: int,
    start: SharedPlan,
    gap_fraction: float,
    time_limit_s: float,
) -> SharedPlan:
    """Close the gap by integer programming."""
    counts = [len(front) for front in fronts]
    times = np.array([each.time_s for front in fronts for each in front])
    # Scaled: coefficients of bytes make the solver many times slower.
    memory = np.array([each.workspace_bytes for front in fronts for each in front])
    owner = np.repeat(np.arange(len(fronts)), counts)
    size = len(times)
    one_each = sparse.csr_array(
        (np.ones(size), (owner, np.arange(size))), shape=(len(fronts), size)
    )
    budget = sparse.csr_array(memory[None] / max(total_bytes, 1))
    result = milp(
        times / times.max(),
        integrality=np.ones(size),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(budget, -np.inf, 1),
        ],
        options={"mip_rel_gap": gap_fraction / 2, "time_limit": time_limit_s},
    )
    bound_s = start.lower_bound_s
    if result.mip_dual_bound is not None:
        bound_s = max(bound_s, float(result.mip_dual_bound * times.max()))
    if result.x is None:  # stopped by the time limit before it found a solution
        return _plan_of(start, bound_s)
    found = _plan(fronts, _indices(result.x, counts), bound_s)
    fits = found.workspace_bytes <= total_bytes  # the solver has tolerances
    better = found if fits and found.time_s <= start.time_s else start
    return _plan_of(better, bound_s)


def _indices(solution: NDArray[np.float64], counts: Sequence[int]) -> list[int]:
    starts = np.cumsum([0, *counts[:-1]])
    return [
        int(solution[start : start + count].argmax())
        for start, count in zip(starts, counts, strict=True)
    ]


def _plan_of(plan: SharedPlan, bound_s: float) -> SharedPlan:
    return SharedPlan(
        plan.divisions, plan.time_s, plan.workspace_bytes, min(bound_s, plan.time_s)
    )
