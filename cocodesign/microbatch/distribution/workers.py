# pyright: strict
"""A mini-batch divided over workers of unequal speed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def split_mini_batch(
    seconds_by_worker: Sequence[Sequence[float]], mini_batch_size: int
) -> tuple[tuple[int, ...], float]:
    """Give each worker so many examples that the last one is done as early as possible.

    With ``T_d(b)`` the time of worker d for b examples, the least makespan of the first
    workers is

        F_d(n) = min over b ≤ n of max(T_d(b), F_{d-1}(n - b)),

    which is exact for any times, also where they fall or jump.

    Args:
        seconds_by_worker: Per worker its times for 0, 1, … N examples.
        mini_batch_size: N ≥ 1.

    Returns:
        Examples by worker, and the makespan in seconds.

    Raises:
        ValueError: If there is no worker, or a worker's times are not N + 1.

    Example:
        >>> fast, slow = [0.0, 1.0, 2.0, 3.0], [0.0, 2.0, 4.0, 6.0]
        >>> split_mini_batch([fast, slow], 3)
        ((2, 1), 2.0)
    """
    if not seconds_by_worker:
        raise ValueError("a mini-batch needs at least one worker")
    for number, seconds in enumerate(seconds_by_worker):
        if len(seconds) != mini_batch_size + 1:
            raise ValueError(
                f"worker {number} needs its times for 0 to {mini_batch_size} examples, "
                f"got {len(seconds)} of them"
            )
    first, *others = (np.asarray(each, dtype=float) for each in seconds_by_worker)
    makespan = first
    taken: list[NDArray[np.intp]] = []
    for seconds in others:
        # Rows are n, columns b; more than n examples are not there to be taken.
        rest = np.full((mini_batch_size + 1, mini_batch_size + 1), np.inf)
        for n in range(mini_batch_size + 1):
            rest[n, : n + 1] = np.maximum(seconds[: n + 1], makespan[n::-1])
        taken.append(rest.argmin(1))
        makespan = rest.min(1)
    sizes: list[int] = []
    n = mini_batch_size
    for choice in reversed(taken):
        sizes.append(int(choice[n]))
        n -= sizes[-1]
    return tuple(reversed([*sizes, n])), float(makespan[mini_batch_size])
