"""Which settings are tried: a box per optimizer, filled evenly."""

import math
from dataclasses import dataclass

import torch

from cocodesign.seeding import stream_seed

Range = tuple[float, float]


@dataclass(frozen=True)
class Setting:
    """What is tuned.

    Attributes:
        learning_rate: After the warm-up.
        momentum: The optimizer's first momentum coefficient, in [0, 1).
        num_warmup_steps: Steps of the linear warm-up of the learning rate.
        damping: λ of a second-order optimizer, ``None`` for a first-order one.
    """

    learning_rate: float
    momentum: float = 0.9
    num_warmup_steps: int = 5
    damping: float | None = None

    @property
    def summary(self) -> str:
        """The values in a log's length."""
        text = f"lr {self.learning_rate:.3g}, momentum {self.momentum:.3g}, "
        text += f"warm-up {self.num_warmup_steps}"
        return text if self.damping is None else f"{text}, damping {self.damping:.2g}"


@dataclass(frozen=True)
class Box:
    """The settings that may be chosen for an optimizer.

    Learning rate, damping and ``1 - momentum`` are spread evenly in their logarithms,
    as a factor of two means the same at any place; the warm-up is spread evenly.

    Attributes:
        learning_rate: Lowest and highest value, above 0.
        momentum: Lowest and highest value, in [0, 1).
        num_warmup_steps: Lowest and highest value, at least 0.
        damping: Lowest and highest value, above 0; ``None`` if there is none.
    """

    learning_rate: Range
    momentum: Range
    num_warmup_steps: tuple[int, int]
    damping: Range | None = None

    def __post_init__(self) -> None:
        for name in ("learning_rate", "damping"):
            bounds = getattr(self, name)
            if bounds is not None and not 0 < bounds[0] <= bounds[1]:
                raise ValueError(f"{name} must rise from above 0, got {bounds}")
        if not 0 <= self.momentum[0] <= self.momentum[1] < 1:
            raise ValueError(f"momentum must rise within [0, 1), got {self.momentum}")
        if not 0 <= self.num_warmup_steps[0] <= self.num_warmup_steps[1]:
            raise ValueError(
                f"num_warmup_steps must rise from 0, got {self.num_warmup_steps}"
            )

    def settings(self, num_trials: int, seed: int) -> tuple[Setting, ...]:
        """Fill the box with a scrambled Sobol sequence.

        Every value of every setting is tried in ``num_trials`` different places, which
        a grid of as many points cannot; the same number of trials serves two settings
        and four. A longer design begins with the shorter one.

        Args:
            num_trials: How many settings, at least 1.
            seed: Of the scrambling.

        Returns:
            The settings, a function of the arguments.

        Raises:
            ValueError: If ``num_trials`` is below 1.

        Example:
            >>> box = Box((0.1, 1.0), (0.8, 0.95), (0, 10))
            >>> len(set(box.settings(8, seed=0)))
            8
        """
        if num_trials < 1:
            raise ValueError(f"num_trials must be at least 1, got {num_trials}")
        sobol = torch.quasirandom.SobolEngine(
            4, scramble=True, seed=stream_seed(seed, "design") % 2**31
        )
        points = sobol.draw(num_trials, dtype=torch.float64).tolist()
        return tuple(self._setting(*point) for point in points)

    def _setting(
        self, rate: float, warmup: float, decay: float, damp: float
    ) -> Setting:
        first, last = self.num_warmup_steps
        slow, fast = 1 - self.momentum[1], 1 - self.momentum[0]
        return Setting(
            learning_rate=_between(self.learning_rate, rate),
            momentum=1 - _between((slow, fast), decay),
            num_warmup_steps=first
            + min(int((last - first + 1) * warmup), last - first),
            damping=None if self.damping is None else _between(self.damping, damp),
        )


def _between(bounds: Range, place: float) -> float:
    """Return the value at a place in [0, 1), evenly in the logarithm."""
    low, high = bounds
    return math.exp(math.log(low) + place * math.log(high / low))
