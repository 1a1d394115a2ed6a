"""All plans, tried one by one: what the planners must equal on small problems."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from cocodesign.microbatch.budget import Block, Moment
from cocodesign.microbatch.division import Candidate, Division


def all_multisets(
    candidates: Sequence[Candidate], total: int
) -> Iterator[tuple[Candidate, ...]]:
    """Yield every multiset of candidates whose sizes sum to ``total``."""
    if total == 0:
        yield ()
        return
    for index, first in enumerate(candidates):
        if first.micro_batch_size <= total:
            rest = total - first.micro_batch_size
            for others in all_multisets(candidates[index:], rest):
                yield (first, *others)


def cost_of(parts: Sequence[Candidate]) -> tuple[float, int, float]:
    """Return time, workspace and error bound of a multiset of candidates."""
    setups = {one.algorithm: one.setup_s for one in parts}
    time_s = math.fsum(one.run_s for one in parts) + math.fsum(setups.values())
    return (
        time_s,
        max(one.workspace_bytes for one in parts),
        max(one.error_bound for one in parts),
    )


def fastest_time(
    candidates: Sequence[Candidate], total: int, limit: float
) -> float | None:
    """Return the time of the fastest division that fits."""
    costs = map(cost_of, all_multisets(candidates, total))
    return min((time_s for time_s, memory, _ in costs if memory <= limit), default=None)


def undominated(points: Sequence[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """Return the points that no other one is at most as large as everywhere."""
    distinct = set(points)
    return {
        point
        for point in distinct
        if not any(
            other != point and all(a <= b for a, b in zip(other, point, strict=True))
            for other in distinct
        )
    }


def fastest_sharing(
    fronts: Sequence[Sequence[Division]], total_bytes: int
) -> float | None:
    """Return the least total time of one division a kernel in separate workspaces."""
    return min(
        (
            math.fsum(division.time_s for division in choice)
            for choice in itertools.product(*fronts)
            if sum(division.workspace_bytes for division in choice) <= total_bytes
        ),
        default=None,
    )


def fastest_step(
    moments: Sequence[Moment],
    fronts: Mapping[str, Sequence[Division]],
    limit_bytes: int,
    blocks: Sequence[Block],
) -> float | None:
    """Return the time of the fastest step that fits, over all divisions and subsets."""
    best = None
    for subset in itertools.product([False, True], repeat=len(blocks)):
        dropped = [block for block, drops in zip(blocks, subset, strict=True) if drops]
        for choice in itertools.product(*fronts.values()):
            divisions = dict(zip(fronts, choice, strict=True))
            if _step_memory(moments, divisions, dropped) <= limit_bytes:
                time_s = _step_time(divisions, dropped)
                best = time_s if best is None else min(best, time_s)
    return best


def _step_time(divisions: Mapping[str, Division], dropped: Sequence[Block]) -> float:
    again = [kernel for block in dropped for kernel in block.kernels]
    kernels = [*divisions, *again]
    return math.fsum(divisions[kernel].time_s for kernel in kernels) + math.fsum(
        block.recompute_s for block in dropped
    )


def _step_memory(
    moments: Sequence[Moment],
    divisions: Mapping[str, Division],
    dropped: Sequence[Block],
) -> int:
    """Walk through the step and note the most that is alive."""
    most = 0
    for index, moment in enumerate(moments):
        live = moment.live_bytes
        running = [moment.kernel] if moment.kernel else []
        for block in dropped:
            if block.held[0] <= index < block.held[1]:
                live -= block.saved_bytes
            if block.held[1] == index:
                running += block.kernels
        workspaces = [divisions[kernel].workspace_bytes for kernel in running]
        most = max(most, live + max(workspaces, default=0))
    return most
