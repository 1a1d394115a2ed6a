"""When a statistic is refreshed next; pure.

Every statistic (each A, each G, each unit-wise block) has a pace of its own. A fixed
interval is the same for all of them; ``StaleSchedule`` lets each one find its own.
"""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Pace:
    """Where a statistic stands.

    Attributes:
        next_step: The step, counted from 0, that refreshes it next.
        interval: Steps between its last refresh and the next one.
        earlier_interval: The interval before that.
        num_refreshes: How often it was refreshed.
    """

    next_step: int = 0
    interval: int = 1
    earlier_interval: int = 1
    num_refreshes: int = 0

    def is_due(self, step: int) -> bool:
        """Tell whether a step refreshes the statistic."""
        return step >= self.next_step


@runtime_checkable
class Schedule(Protocol):
    """Sets the pace after a refresh.

    Attributes:
        compares: Whether it asks how far the statistic has moved.
    """

    compares: bool

    def after(
        self, step: int, pace: Pace, change: float, earlier_change: float
    ) -> Pace:
        """Return the pace after a refresh.

        Args:
            step: The step that refreshed the statistic.
            pace: The pace before it.
            change: How far it moved from its last value, relative to that;
                infinite without one.
            earlier_change: The same for the value before the last.

        Returns:
            The new pace.
        """
        ...


@dataclass(frozen=True)
class FixedInterval:
    """Refresh every so many steps; at the steps 0, 1, 2, 4, 8 … before the first.

    The first curvature is outdated soonest.

    Attributes:
        interval: Steps between refreshes, at least 1.

    Example:
        >>> pace, steps = Pace(), []
        >>> while len(steps) < 6:
        ...     steps.append(pace.next_step)
        ...     pace = FixedInterval(5).after(pace.next_step, pace, 0.0, 0.0)
        >>> steps
        [0, 1, 2, 4, 5, 10]
    """

    interval: int
    compares = False

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"factor_interval must be at least 1, got {self.interval}")

    def after(
        self, step: int, pace: Pace, change: float, earlier_change: float
    ) -> Pace:
        """Return the next multiple of the interval, or power of two before the first.

        Args:
            step: The step that refreshed the statistic.
            pace: The pace before it.
            change: Not looked at.
            earlier_change: Not looked at.

        Returns:
            The new pace.
        """
        del change, earlier_change
        next_step = (step // self.interval + 1) * self.interval
        if step < self.interval:
            next_step = min(2 ** step.bit_length(), next_step)
        return Pace(next_step, next_step - step, pace.interval, pace.num_refreshes + 1)


@dataclass(frozen=True)
class StaleSchedule:
    r"""Refresh each statistic only as often as it moves.

    Two values are similar where ``‖X - Y‖ / ‖Y‖ < threshold`` (Frobenius norms). After
    a refresh that gave X, with the last two values :math:`X_{-1}, X_{-2}` and intervals
    :math:`\Delta_{-1}, \Delta_{-2}`, the next one follows after

    .. math::
        \Delta = \begin{cases}
            \max(1, \lfloor \Delta_{-1} / 2 \rfloor)
                & X \text{ not similar to } X_{-1} \\
            \Delta_{-1} & \text{else, } X \text{ not similar to } X_{-2} \\
            \Delta_{-1} + \Delta_{-2} & \text{else}
        \end{cases}

    steps: intervals grow like Fibonacci's numbers and are halved when the statistic
    moves. A statistic that is not due is neither computed nor inverted. The larger the
    batch, the less statistics fluctuate and the more is saved.

    Source: Osawa et al. (2020), arXiv:2002.06015, on natural gradient with stale
    statistics.
    Differences: X is the moving average that is in use where ``ema_decay`` is not 0
    (they keep none); the values that a rule compares with are missing at the first two
    refreshes, which then count as not similar.

    Attributes:
        threshold: α in (0, 1) below which two values are similar.

    Example:
        >>> schedule, pace, steps = StaleSchedule(), Pace(), []
        >>> for change in (0.5, 0.05, 0.05, 0.05, 0.05, 0.3, 0.3):
        ...     steps.append(pace.next_step)
        ...     pace = schedule.after(pace.next_step, pace, change, change)
        >>> steps
        [0, 1, 3, 6, 11, 19, 23]
    """

    threshold: float = 0.1
    compares = True

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold must lie in (0, 1), got {self.threshold}")

    def after(
        self, step: int, pace: Pace, change: float, earlier_change: float
    ) -> Pace:
        """Return the pace after a refresh.

        Args:
            step: The step that refreshed the statistic.
            pace: The pace before it.
            change: ``‖X - X₋₁‖ / ‖X₋₁‖``.
            earlier_change: ``‖X - X₋₂‖ / ‖X₋₂‖``.

        Returns:
            The new pace.
        """
        if not change < self.threshold:
            interval = max(1, pace.interval // 2)
        elif not earlier_change < self.threshold:
            interval = pace.interval
        else:
            interval = pace.interval + pace.earlier_interval
        return Pace(step + interval, interval, pace.interval, pace.num_refreshes + 1)


def delayed(pace: Pace, step: int) -> Pace:
    """Return the pace of a statistic whose layer took no part in its step.

    Args:
        pace: The pace before the step.
        step: The step.

    Returns:
        The same interval once more.
    """
    return replace(pace, next_step=step + pace.interval)
