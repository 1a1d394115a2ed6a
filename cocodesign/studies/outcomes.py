"""What a training measured, and honest ratios of it."""

import statistics
from dataclasses import dataclass
from typing import Literal

from cocodesign.studies.designs import Setting

Quantity = Literal["steps", "seconds"]
QUANTITIES: tuple[Quantity, ...] = ("steps", "seconds")


@dataclass(frozen=True)
class Point:
    """A point of a learning curve.

    Attributes:
        num_steps: Steps done.
        training_s: Seconds spent on them, without evaluations.
        accuracy: On the examples that the training was judged on, between 0 and 1.
        loss: The last mini-batch's, before its step.
    """

    num_steps: int
    training_s: float
    accuracy: float
    loss: float


@dataclass(frozen=True)
class Outcome:
    """One training towards a target accuracy.

    Attributes:
        contender: The optimizer's name.
        setting: What it ran with.
        mini_batch_size: Examples per step.
        seed: Of the initial weights and of the mini-batches.
        reached: Whether the target was reached; if not, the outcome is *censored*:
            all that is known is that more than ``num_steps`` steps are needed.
        curve: All evaluations; the last one is where the training ended.
    """

    contender: str
    setting: Setting
    mini_batch_size: int
    seed: int
    reached: bool
    curve: tuple[Point, ...]

    @property
    def num_steps(self) -> int:
        """Steps to the first evaluation at the target, or all that were allowed."""
        return self.curve[-1].num_steps

    @property
    def training_s(self) -> float:
        """Seconds that these steps took, without evaluations."""
        return self.curve[-1].training_s

    @property
    def summary(self) -> str:
        """One line for a log."""
        end = "target reached" if self.reached else f"best {self.best_accuracy:.1%}"
        return (
            f"{self.contender}, batch {self.mini_batch_size:,}, seed {self.seed}, "
            f"{self.setting.summary}: {end} after {self.num_steps} steps, "
            f"{self.training_s:.1f} s"
        )

    @property
    def best_accuracy(self) -> float:
        """The best evaluation."""
        return max(point.accuracy for point in self.curve)

    @property
    def mean_step_s(self) -> float:
        """Seconds per step over the whole training: refreshes count by their share."""
        return self.training_s / self.num_steps

    @property
    def median_step_s(self) -> float:
        """Median over the stretches between evaluations of their seconds per step."""
        starts = ((0, 0.0), *((p.num_steps, p.training_s) for p in self.curve[:-1]))
        return statistics.median(
            (point.training_s - seconds) / (point.num_steps - steps)
            for (steps, seconds), point in zip(starts, self.curve, strict=True)
        )


@dataclass(frozen=True)
class Ratio:
    """How many times more one training took than another.

    Attributes:
        value: The ratio of what was counted.
        bound: ``"exact"`` if both reached the target; ``"lower"`` if the true ratio
            is larger, because the numerator's training was cut off; ``"upper"`` if it
            is smaller, because the denominator's was.
    """

    value: float
    bound: Literal["exact", "lower", "upper"]


def cost_ratio(
    baseline: Outcome, candidate: Outcome, quantity: Quantity
) -> Ratio | None:
    """Divide a baseline's cost to the target by a candidate's.

    Args:
        baseline: The numerator.
        candidate: The denominator, of the same mini-batch size and target.
        quantity: Which cost.

    Returns:
        The ratio, above 1 if the candidate is better; ``None`` if neither reached the
        target, which tells nothing.
    """
    if quantity == "steps":
        value = baseline.num_steps / candidate.num_steps
    else:
        value = baseline.training_s / candidate.training_s
    if baseline.reached and candidate.reached:
        return Ratio(value, "exact")
    if candidate.reached:
        return Ratio(value, "lower")
    if baseline.reached:
        return Ratio(value, "upper")
    return None
