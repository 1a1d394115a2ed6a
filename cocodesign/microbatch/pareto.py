# pyright: strict
"""Fronts: divisions that no other division beats in every respect.

A division's workspace is the largest of its parts', so a front needs no merging of
sets: for every workspace that occurs among the candidates, the fastest division under
that limit is found, and what is dominated is dropped. This is exact, as is the
set-merging algorithm of Oyama et al. (2018), arXiv:1804.04806, Section III.C, whose
"desirable set" it equals; the error bound, also a maximum, is treated alike.
"""

from collections.abc import Sequence

from cocodesign.microbatch.division import Candidate, Division
from cocodesign.microbatch.planner import divisions_by_limit


def pareto_front(
    candidates: Sequence[Candidate],
    mini_batch_size: int,
    workspace_limit_bytes: int | None = None,
) -> tuple[Division, ...]:
    """Return the divisions that are not beaten in both time and workspace.

    Args:
        candidates: What was measured.
        mini_batch_size: N ≥ 1.
        workspace_limit_bytes: Leave out what needs more; ``None`` for no limit.

    Returns:
        The front by rising workspace and falling time; empty if nothing is feasible.

    Example:
        >>> lean = Candidate("direct", 2, run_s=3.0, workspace_bytes=0)
        >>> fast = Candidate("fft", 2, run_s=1.0, workspace_bytes=100)
        >>> [str(division) for division in pareto_front([lean, fast], 2)]
        ['direct:2', 'fft:2']
    """
    limits = sorted(
        {
            one.workspace_bytes
            for one in candidates
            if workspace_limit_bytes is None
            or one.workspace_bytes <= workspace_limit_bytes
        }
    )
    found = divisions_by_limit(candidates, mini_batch_size, limits)
    return _rising([division for division in found if division is not None])


def pareto_surface(
    candidates: Sequence[Candidate],
    mini_batch_size: int,
    workspace_limit_bytes: int | None = None,
) -> tuple[Division, ...]:
    """Return the divisions that are not beaten in time, workspace and error bound.

    Args:
        candidates: What was measured.
        mini_batch_size: N ≥ 1.
        workspace_limit_bytes: Leave out what needs more; ``None`` for no limit.

    Returns:
        The surface by rising error bound, then workspace.
    """
    kept: list[Division] = []
    for error in sorted({one.error_bound for one in candidates}):
        exact_enough = [one for one in candidates if one.error_bound <= error]
        front = pareto_front(exact_enough, mini_batch_size, workspace_limit_bytes)
        # Those kept before are more exact; a new one must be leaner or faster.
        kept += [
            new
            for new in front
            if not any(
                old.workspace_bytes <= new.workspace_bytes and old.time_s <= new.time_s
                for old in kept
            )
        ]
    return tuple(kept)


def _rising(divisions: Sequence[Division]) -> tuple[Division, ...]:
    front: list[Division] = []
    for division in sorted(
        divisions, key=lambda one: (one.workspace_bytes, one.time_s)
    ):
        if not front or division.time_s < front[-1].time_s:
            front.append(division)
    return tuple(front)
