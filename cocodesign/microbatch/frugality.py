# pyright: strict
"""A good division from few timings.

Timing every algorithm at every size takes longer than what is won. A run of b
examples takes about ``T(b) = a b + c``, so the line through the two nearest known sizes
estimates the others. The planner is asked with estimates in place of what is not
known, what it chose is timed, and so on, until the best division of timed candidates is
within a tolerance of the best one that the estimates promise. Where no time is below
its line by more than a fraction, the loss is at most that fraction and the tolerance.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from cocodesign.microbatch.division import Candidate, Division
from cocodesign.microbatch.planner import best_division, divisions_by_limit

TOLERANCE = 0.005


def frugal_division(
    expected_workspaces: Mapping[str, Mapping[int, int]],
    time: Callable[[str, int], Candidate],
    mini_batch_size: int,
    workspace_limit_bytes: int | None = None,
    *,
    max_error: float = math.inf,
    tolerance: float = TOLERANCE,
) -> tuple[Division, tuple[Candidate, ...]]:
    """Find the fastest division, timing only what may be part of it.

    Args:
        expected_workspaces: By algorithm and micro-batch size, the workspace that it
            is expected to need; it is replaced by the measured one.
        time: Measures an algorithm at a size.
        mini_batch_size: N ≥ 1.
        workspace_limit_bytes: The limit; ``None`` for none.
        max_error: Algorithms with a larger ``error_bound`` are not used.
        tolerance: The fraction of the time that is not worth more timings.

    Returns:
        The division, and all candidates that were timed.

    Raises:
        InfeasiblePlanError: If no division fits.
    """
    known: dict[str, dict[int, Candidate]] = {}
    for name, workspaces in expected_workspaces.items():
        sizes = sorted(workspaces)
        known[name] = {size: time(name, size) for size in _first_sizes(sizes)}
    while True:
        hopeful = best_division(
            [
                candidate
                for name, workspaces in expected_workspaces.items()
                for candidate in _with_estimates(name, workspaces, known[name])
            ],
            mini_batch_size,
            workspace_limit_bytes,
            max_error=max_error,
        )
        missing = {
            (part.algorithm, part.micro_batch_size)
            for part in hopeful.parts
            if part.micro_batch_size not in known[part.algorithm]
        }
        timed = tuple(one for each in known.values() for one in _with_one_setup(each))
        if missing:
            found = divisions_by_limit(
                [one for one in timed if one.error_bound <= max_error],
                mini_batch_size,
                [math.inf if workspace_limit_bytes is None else workspace_limit_bytes],
            )[0]
            if found is None or found.time_s > hopeful.time_s * (1 + tolerance):
                for name, size in sorted(missing):
                    known[name][size] = time(name, size)
                continue
            return found, timed
        return hopeful, timed


def _first_sizes(sizes: Sequence[int]) -> set[int]:
    """Choose two sizes that tell slope and offset without long runs."""
    short = [size for size in sizes[1:] if size <= 8] or sizes[1:2]
    return {sizes[0], *short[-1:]}


def _with_one_setup(known: Mapping[int, Candidate]) -> list[Candidate]:
    """Give all sizes of an algorithm the median of its setups."""
    setup_s = statistics.median(one.setup_s for one in known.values())
    return [replace(one, setup_s=setup_s) for one in known.values()]


def _with_estimates(
    name: str, workspaces: Mapping[int, int], known: Mapping[int, Candidate]
) -> list[Candidate]:
    """Return what is known of an algorithm, and estimates where nothing is."""
    timed = _with_one_setup(known)
    seconds = {one.micro_batch_size: one.run_s for one in timed}
    estimated = [
        Candidate(
            name,
            size,
            estimate_s(seconds, size),
            workspace_bytes,
            timed[0].setup_s,
            timed[0].error_bound,
        )
        for size, workspace_bytes in workspaces.items()
        if size not in known
    ]
    return [*timed, *estimated]


def estimate_s(known: Mapping[int, float], size: int) -> float:
    """Estimate the time at a size by the line through its neighbours.

    Args:
        known: Seconds by size, of two sizes at least.
        size: A size that is not among them.

    Returns:
        Seconds, not negative.

    Example:
        >>> estimate_s({1: 2.0, 3: 4.0}, 5)
        6.0
    """
    sizes = sorted(known)
    pairs = list(pairwise(sizes))
    left, right = next((pair for pair in pairs if size < pair[1]), pairs[-1])
    slope = (known[right] - known[left]) / (right - left)
    return max(0.0, known[left] + slope * (size - left))
