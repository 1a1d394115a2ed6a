r"""One memory for a whole training step: divisions and what to recompute.

Kernels of a step run one after the other, so each may use what the step leaves free at
its moment: with ``L_k`` bytes alive when kernel k runs, its workspace is at most
``M - L_k``. Only recomputing couples the kernels. A *block* may drop what it saved for
its backward pass: then it holds less from the end of its forward to the start of its
backward pass, and its forward pass runs once more. With x the divisions and r the
blocks that recompute, all binary,

    min  Σ_k Σ_c t_kc x_kc + Σ_u r_u (e_u + Σ_{k in u} Σ_c t_kc x_kc)
    s.t. Σ_c x_kc = 1
         Σ_c m_kc x_kc + L_k - Σ_{u held across k} s_u r_u ≤ M             for every k
         L_j - Σ_{u held across j} s_u r_u ≤ M              for every other moment j
         r_u = 1  ⟹  Σ_c m_kc x_kc + B_u - Σ_{v held across B_u} s_v r_v ≤ M    k in u

where ``s_u`` is what block u drops, ``e_u`` the time of its forward pass without its
kernels, and ``B_u`` what is alive at the start of its backward pass, with all that u
saved: what its recomputing rises to. The products of r and x are linearised.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.division import Division

_SOLVER_TOLERANCE = 2e-6  # by how much of a bound HiGHS may exceed it, twice


@dataclass(frozen=True)
class Moment:
    """A moment of the step at which memory is counted.

    Attributes:
        live_bytes: What is alive, without the workspace of any kernel, when nothing
            is recomputed.
        kernel: The kernel that runs then, if one does. A kernel runs at one moment.
    """

    live_bytes: int
    kernel: str | None = None


@dataclass(frozen=True)
class Block:
    """A part of the model that may be recomputed.

    Attributes:
        name: Its name.
        held: First moment and the one after the last, during which what it saved is
            held for nothing else than its backward pass.
        saved_bytes: What it holds then.
        recompute_s: Time of its forward pass without its kernels.
        kernels: The kernels of its forward pass.
    """

    name: str
    held: tuple[int, int]
    saved_bytes: int
    recompute_s: float
    kernels: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepPlan:
    """What to do in a step.

    Attributes:
        divisions: By kernel.
        recomputed: Names of the blocks that recompute.
        time_s: Of all kernels and of what is recomputed.
        peak_bytes: The most that is alive at any moment.
        lower_bound_s: No plan within the memory is faster.
    """

    divisions: Mapping[str, Division]
    recomputed: tuple[str, ...]
    time_s: float
    peak_bytes: int
    lower_bound_s: float


def plan_step(
    moments: Sequence[Moment],
    fronts: Mapping[str, Sequence[Division]],
    limit_bytes: int,
    blocks: Sequence[Block] = (),
) -> StepPlan:
    """Choose divisions and recomputed blocks so that a step fits and is fastest.

    Args:
        moments: In the order of the step.
        fronts: By kernel, the divisions to choose from, by rising workspace.
        limit_bytes: M.
        blocks: What may be recomputed.

    Returns:
        The fastest plan; without blocks its optimality needs no solver.

    Raises:
        InfeasiblePlanError: If nothing fits; the message says what would.
    """
    kept = _independent(moments, fronts, limit_bytes)
    if kept is not None and (not blocks or _is_unconstrained(kept, fronts)):
        return kept
    found = _searched(moments, fronts, limit_bytes, blocks) if blocks else None
    if found is not None and found.peak_bytes > limit_bytes:  # the solver's tolerance
        margin = math.ceil(_SOLVER_TOLERANCE * limit_bytes)
        found = _searched(moments, fronts, limit_bytes - margin, blocks)
    if found is None:
        lowest = _least_memory(moments, fronts, blocks)
        raise InfeasiblePlanError(
            f"no plan fits the step into {limit_bytes:,} bytes: about {lowest:,} are "
            "needed with the leanest divisions and all blocks recomputed; raise the "
            "limit, lower the mini-batch, or allow more blocks to be recomputed"
        )
    return found


def peak_bytes(
    moments: Sequence[Moment],
    divisions: Mapping[str, Division],
    blocks: Sequence[Block],
    recomputed: Sequence[str],
) -> int:
    """Return the most that is alive at any moment of a plan.

    Args:
        moments: In the order of the step.
        divisions: By kernel.
        blocks: What may be recomputed.
        recomputed: The names of those that are.

    Returns:
        Bytes.
    """
    live = [moment.live_bytes for moment in moments]
    dropped = [block for block in blocks if block.name in recomputed]
    for block in dropped:
        for index in range(*block.held):
            live[index] -= block.saved_bytes
    with_workspace = [
        size + (divisions[moment.kernel].workspace_bytes if moment.kernel else 0)
        for size, moment in zip(live, moments, strict=True)
    ]
    again = [
        live[block.held[1]] + divisions[kernel].workspace_bytes
        for block in dropped
        if block.held[1] < len(moments)
        for kernel in block.kernels
    ]
    return max([*with_workspace, *again], default=0)


def _independent(
    moments: Sequence[Moment],
    fronts: Mapping[str, Sequence[Division]],
    limit_bytes: int,
) -> StepPlan | None:
    """Give every kernel what is free at its moment; ``None`` if that is too little."""
    divisions: dict[str, Division] = {}
    for moment in moments:
        free = limit_bytes - moment.live_bytes
        if moment.kernel is None:
            if free < 0:
                return None
            continue
        fitting = [
            division
            for division in fronts[moment.kernel]
            if division.workspace_bytes <= free
        ]
        if not fitting:
            return None
        divisions[moment.kernel] = min(fitting, key=lambda one: one.time_s)
    time_s = math.fsum(division.time_s for division in divisions.values())
    peak = peak_bytes(moments, divisions, (), ())
    return StepPlan(divisions, (), time_s, peak, time_s)


def _is_unconstrained(plan: StepPlan, fronts: Mapping[str, Sequence[Division]]) -> bool:
    """Say whether every kernel is as fast as it can be, so that no block need drop."""
    return all(
        division.time_s <= min(one.time_s for one in fronts[kernel])
        for kernel, division in plan.divisions.items()
    )


def _least_memory(
    moments: Sequence[Moment],
    fronts: Mapping[str, Sequence[Division]],
    blocks: Sequence[Block],
) -> int:
    leanest = {
        kernel: min(front, key=lambda one: one.workspace_bytes)
        for kernel, front in fronts.items()
    }
    return peak_bytes(moments, leanest, blocks, [block.name for block in blocks])


class _Program:
    """The integer program: columns for x, r and their products, rows for memory."""

    def __init__(
        self,
        moments: Sequence[Moment],
        fronts: Mapping[str, Sequence[Division]],
        blocks: Sequence[Block],
        limit_bytes: int,
    ) -> None:
        self._moments = moments
        self._fronts = fronts
        self._blocks = blocks
        self._limit = limit_bytes
        self.choice: dict[str, slice] = {}
        num_columns = 0
        for kernel, front in fronts.items():
            self.choice[kernel] = slice(num_columns, num_columns + len(front))
            num_columns += len(front)
        self.recompute = slice(num_columns, num_columns + len(blocks))
        self.num_binary = self.recompute.stop
        num_columns = self.num_binary
        self.product: dict[tuple[int, str], slice] = {}
        for index, block in enumerate(blocks):
            for kernel in block.kernels:
                size = len(fronts[kernel])
                self.product[index, kernel] = slice(num_columns, num_columns + size)
                num_columns += size
        self.num_columns = num_columns
        self.rows: list[NDArray[np.float64]] = []
        self.lowest: list[float] = []
        self.highest: list[float] = []
        self._fill()

    def cost(self) -> NDArray[np.float64]:
        cost = np.zeros(self.num_columns)
        for kernel, columns in self.choice.items():
            cost[columns] = [division.time_s for division in self._fronts[kernel]]
        cost[self.recompute] = [block.recompute_s for block in self._blocks]
        for (_, kernel), columns in self.product.items():
            cost[columns] = [division.time_s for division in self._fronts[kernel]]
        return cost

    def _fill(self) -> None:
        for columns in self.choice.values():
            row = np.zeros(self.num_columns)
            row[columns] = 1
            self._add(row, 1, 1)
        for index, moment in enumerate(self._moments):
            row = self._held(index)
            if moment.kernel is not None:
                self._add_workspace(row, moment.kernel)
            self._add(row, -np.inf, self._free(moment.live_bytes))
        for index, block in enumerate(self._blocks):
            for kernel in block.kernels:
                if block.held[1] < len(self._moments):
                    self._add_recomputing(index, block, kernel)
                for number in range(len(self._fronts[kernel])):
                    row = np.zeros(self.num_columns)  # product ≥ x + r - 1
                    row[self.product[index, kernel].start + number] = -1
                    row[self.choice[kernel].start + number] = 1
                    row[self.recompute.start + index] = 1
                    self._add(row, -np.inf, 1)

    def _add_recomputing(self, index: int, block: Block, kernel: str) -> None:
        """Let the kernel fit when it runs again, if the block is recomputed."""
        row = self._held(block.held[1])
        self._add_workspace(row, kernel)
        most = max(one.workspace_bytes for one in self._fronts[kernel]) / self._limit
        row[self.recompute.start + index] += most
        live = self._moments[block.held[1]].live_bytes
        self._add(row, -np.inf, self._free(live) + most)

    def _held(self, index: int) -> NDArray[np.float64]:
        row = np.zeros(self.num_columns)
        for number, block in enumerate(self._blocks):
            if block.held[0] <= index < block.held[1]:
                row[self.recompute.start + number] = -block.saved_bytes / self._limit
        return row

    def _add_workspace(self, row: NDArray[np.float64], kernel: str) -> None:
        sizes = [one.workspace_bytes for one in self._fronts[kernel]]
        row[self.choice[kernel]] = np.array(sizes) / self._limit

    def _free(self, live_bytes: int) -> float:
        return (self._limit - live_bytes) / self._limit

    def _add(self, row: NDArray[np.float64], lowest: float, highest: float) -> None:
        self.rows.append(row)
        self.lowest.append(lowest)
        self.highest.append(highest)


def _searched(
    moments: Sequence[Moment],
    fronts: Mapping[str, Sequence[Division]],
    limit_bytes: int,
    blocks: Sequence[Block],
) -> StepPlan | None:
    program = _Program(moments, fronts, blocks, limit_bytes)
    cost = program.cost()
    scale = float(cost.max()) or 1.0
    integrality = np.zeros(program.num_columns)
    integrality[: program.num_binary] = 1
    result = milp(
        cost / scale,
        integrality=integrality,
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(
                np.array(program.rows),
                np.array(program.lowest),  # pyright: ignore[reportArgumentType]
                np.array(program.highest),  # pyright: ignore[reportArgumentType]
            )
        ],
        options={"mip_rel_gap": 0.0},
    )
    if result.x is None:
        return None
    divisions = {
        kernel: fronts[kernel][int(result.x[columns].argmax())]
        for kernel, columns in program.choice.items()
    }
    chosen = result.x[program.recompute]
    dropped = [block for block, r in zip(blocks, chosen, strict=True) if r > 0.5]
    names = tuple(block.name for block in dropped)
    time_s = math.fsum(division.time_s for division in divisions.values())
    for block in dropped:
        again = [divisions[kernel].time_s for kernel in block.kernels]
        time_s += block.recompute_s + math.fsum(again)
    peak = peak_bytes(moments, divisions, blocks, names)
    bound_s = min(float(result.mip_dual_bound) * scale, time_s)
    return StepPlan(divisions, names, time_s, peak, bound_s)
