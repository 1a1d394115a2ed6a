"""A limit on scores that bounds false alarms, without assuming how scores spread."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

BLOCK_S = 1.0


@dataclass(frozen=True)
class Threshold:
    """A limit and what it promises.

    Attributes:
        value: Scores above it are alarms.
        false_alarms_per_hour: At most so many seconds of an hour of normal video, on
            average, have a score above ``value``.
        num_blocks: Seconds of normal video that the promise rests on.
    """

    value: float
    false_alarms_per_hour: float
    num_blocks: int


def conformal_threshold(
    times_s: Float[np.ndarray, " frame"],
    scores: Float[np.ndarray, " frame"],
    *,
    max_false_alarms_per_hour: float | None = None,
) -> Threshold:
    """Bound false alarms from normal video that nothing was learnt from.

    The video is cut into blocks of a second, of which each counts with its largest
    score. If the next block is exchangeable with these ``n``, it exceeds the ``k``-th
    largest with probability at most ``k / (n + 1)`` (Vovk et al. 2005, "Algorithmic
    Learning in a Random World", Section 2.2). Blocks that follow each other are not
    quite exchangeable, and an evening is not a morning: take normal video from all
    times of the day.

    Args:
        times_s: Of the frames, rising.
        scores: Of the frames.
        max_false_alarms_per_hour: What is allowed; ``None`` takes the strictest
            promise that the video can support, its largest score.

    Returns:
        The lowest threshold that keeps the promise.

    Raises:
        ValueError: If there are no scores, or too few for the promise.

    Example:
        >>> times = np.arange(7200.0)
        >>> conformal_threshold(times, times / 7200, max_false_alarms_per_hour=1).value
        0.9997222222222222
    """
    if not len(scores) or len(times_s) != len(scores):
        raise ValueError(
            f"a threshold needs scores with times, got {len(scores)} and {len(times_s)}"
        )
    block = np.floor((times_s - times_s[0]) / BLOCK_S).astype(int)
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    largest = np.sort(np.maximum.reduceat(scores, starts))[::-1]
    num_blocks = len(largest)
    blocks_per_hour = 3600 / BLOCK_S
    if max_false_alarms_per_hour is None:
        num_above = 1
    else:
        allowed = max_false_alarms_per_hour / blocks_per_hour
        num_above = int(allowed * (num_blocks + 1) + 1e-9)
    if num_above < 1:
        needed_s = BLOCK_S * (blocks_per_hour / (max_false_alarms_per_hour or 1) - 1)
        raise ValueError(
            f"{num_blocks} s of held-out normal video cannot promise "
            f"{max_false_alarms_per_hour} false alarms per hour: that takes "
            f"{needed_s:.0f} s; allow more or take longer video"
        )
    num_above = min(num_above, num_blocks)
    promise = blocks_per_hour * num_above / (num_blocks + 1)
    return Threshold(float(largest[num_above - 1]), promise, num_blocks)
