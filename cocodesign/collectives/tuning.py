# pyright: strict
"""The best schedule for a machine and a message.

The cost of a level depends on the number of ranks below it, not on how those are
factorised. So the best schedule of ``q f`` ranks that ends with a level of ``f`` starts
with the best one of ``q`` ranks, and going through the divisors of p finds the optimum
without looking at every factorisation, of which 16,384 ranks have 8,192.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cocodesign.collectives.cost_model import (
    Machine,
    Operation,
    passes_of,
    predict,
)
from cocodesign.collectives.schedules import (
    Level,
    Pattern,
    Schedule,
    distinct_patterns,
)


def tune(
    machine: Machine,
    world_size: int,
    num_bytes: float,
    operation: Operation = "all_reduce",
    *,
    patterns: Sequence[Pattern] = ("ring", "halving"),
) -> Schedule:
    """Choose the schedule that a machine is predicted to be fastest with.

    Args:
        machine: The links, such as a ``CostModel``.
        world_size: The number of ranks, at least 1.
        num_bytes: Size of the tensor that is reduced, of all shards together.
        operation: What is done.
        patterns: Those that a level may follow.

    Returns:
        The best of all factorisations, patterns and, for an all-reduce, the one-shot
        form. Of equally fast ones it is the one with the fewest rounds and levels.

    Raises:
        ValueError: If there is no rank or no pattern.

    Example:
        >>> from cocodesign.collectives.cost_model import CostModel, Tier
        >>> slow_to_start = CostModel((Tier(None, 1e-3, 1e-9),))
        >>> str(tune(slow_to_start, 6, 1000))
        'one-shot [6h]'
        >>> str(tune(slow_to_start, 6, 1e9))
        '[6h]'
    """
    if world_size < 1 or not patterns:
        raise ValueError(
            f"world_size must be at least 1 and there must be a pattern, got "
            f"{world_size} and {list(patterns)}"
        )
    forms = [False]
    if operation == "all_reduce" and world_size > 1:
        forms.append(True)
    candidates: list[Schedule] = []
    for one_shot in forms:
        form = Schedule((Level(world_size),), one_shot)
        passes = passes_of(form, num_bytes, operation)
        levels = _best_levels(machine, world_size, passes, patterns)
        candidates.append(Schedule(levels, one_shot))
    return min(
        candidates, key=lambda each: predict(machine, each, num_bytes, operation)
    )


@dataclass(frozen=True)
class _Beginning:
    """The best levels for some of the ranks.

    Attributes:
        seconds: What they take.
        levels: The levels.
    """

    seconds: float
    levels: tuple[Level, ...]


def _best_levels(
    machine: Machine,
    world_size: int,
    passes: Sequence[tuple[bool, float]],
    patterns: Sequence[Pattern],
) -> tuple[Level, ...]:
    if world_size == 1:
        return (Level(1, patterns[0]),)
    best = {1: _Beginning(0.0, ())}
    for size in _divisors(world_size)[1:]:
        choices: list[_Beginning] = []
        for below in _divisors(size)[:-1]:
            for pattern in distinct_patterns(size // below, patterns):
                level = Level(size // below, pattern)
                seconds = best[below].seconds
                for reduces, total in passes:
                    seconds += machine.level_s(
                        level, below, total / below, reduces=reduces
                    )
                choices.append(_Beginning(seconds, (*best[below].levels, level)))
        best[size] = min(choices, key=_preference)
    return best[world_size].levels


def _preference(beginning: _Beginning) -> tuple[float, int, int, int]:
    """Prefer less time, then fewer rounds, levels and rings."""
    # Rounding errors are no difference. In groups of three, rings are like halving.
    levels = beginning.levels
    return (
        float(f"{beginning.seconds:.9g}"),
        sum(level.num_rounds for level in levels),
        len(levels),
        sum(level.pattern == "ring" for level in levels),
    )


def _divisors(number: int) -> list[int]:
    """Return the divisors, rising."""
    return [each for each in range(1, number + 1) if number % each == 0]
