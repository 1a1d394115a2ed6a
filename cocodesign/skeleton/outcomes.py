"""What networks answered on test clips, and what that says, with its uncertainty."""

import math
import statistics
from dataclasses import dataclass
from functools import cached_property

import torch

_Z_95 = 1.959963984540054  # of the normal distribution, two-sided
_NUM_RESAMPLES = 4000


@dataclass(frozen=True)
class Answer:
    """One network's answer on one clip.

    Attributes:
        seed: Of the network.
        fold: Name of the fold.
        clip: Index of the clip.
        label: Its class.
        answer: What the network took it for.
        damage: What was done to the clip; empty for nothing.
    """

    seed: int
    fold: str
    clip: int
    label: int
    answer: int
    damage: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the answer is the label."""
        return self.answer == self.label


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % confidence interval, in the value's own unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """All answers of a cross-validation.

    Attributes:
        dataset: The data set's name.
        variant: Which network.
        num_classes: Of the data set.
        num_parameters: Trained numbers of one network.
        training_s: Seconds that all trainings took together.
        answers: Of every seed, fold, damage and test clip.
    """

    dataset: str
    variant: str
    num_classes: int
    num_parameters: int
    training_s: float
    answers: tuple[Answer, ...]

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in their order."""
        return tuple(dict.fromkeys(answer.seed for answer in self.answers))

    @cached_property
    def damages(self) -> tuple[str, ...]:
        """What clips were damaged by, in its order."""
        names = dict.fromkeys(answer.damage for answer in self.answers)
        return tuple(name for name in names if name)

    def accuracies(self, damage: str = "") -> tuple[float, ...]:
        """Return the fraction of right answers over all folds, one per seed.

        Args:
            damage: Of the clips with this damage.

        Returns:
            Numbers between 0 and 1, in the order of the seeds.

        Raises:
            ValueError: If no clip was damaged so.
        """
        result = []
        for seed in self.seeds:
            right = [
                answer.is_right
                for answer in self.answers
                if (answer.seed, answer.damage) == (seed, damage)
            ]
            if not right:
                raise ValueError(f"no clip was damaged by {damage!r}: {self.damages}")
            result.append(statistics.fmean(right))
        return tuple(result)

    def losses(self, damage: str) -> tuple[float, ...]:
        """Return by how much a damage lowers the accuracy, one number per seed."""
        return tuple(
            whole - damaged
            for whole, damaged in zip(
                self.accuracies(), self.accuracies(damage), strict=True
            )
        )

    def clip_interval(self) -> Interval:
        """Return the mean accuracy with what its number of clips leaves open.

        Wilson's interval for as many clips as were tested: seeds share their clips and
        do not narrow it.

        Source: Wilson (1927), "Probable Inference, the Law of Succession, and
        Statistical Inference".

        Returns:
            Fractions.
        """
        return wilson_interval(
            statistics.fmean(self.accuracies()), len(self._rightness())
        )

    def advantage_over(self, other: "Evaluation", *, seed: int = 0) -> Interval:
        """Return by how much this network is better, clip by clip.

        The difference of each clip's right answers, averaged over the seeds, is
        resampled over the clips with replacement (a paired bootstrap).

        Args:
            other: Of the same data set, clips and number of seeds.
            seed: Of the resampling.

        Returns:
            The mean difference of the accuracies, with its 2.5 and 97.5 percentiles.

        Raises:
            ValueError: If the clips differ.
        """
        mine, others = self._rightness(), other._rightness()
        if mine.keys() != others.keys():
            raise ValueError(
                f"{self.variant} and {other.variant} were tested on different clips"
            )
        differences = torch.tensor([mine[clip] - others[clip] for clip in sorted(mine)])
        generator = torch.Generator().manual_seed(seed)
        shape = (_NUM_RESAMPLES, len(differences))
        drawn = torch.randint(len(differences), shape, generator=generator)
        means = differences[drawn].mean(dim=1)
        low, high = torch.quantile(means, torch.tensor([0.025, 0.975])).tolist()
        return Interval(differences.mean().item(), low, high)

    def confusion(self) -> list[list[int]]:
        """Return how often each class (rows) was taken for each other (columns)."""
        table = [[0] * self.num_classes for _ in range(self.num_classes)]
        for answer in self.answers:
            if not answer.damage:
                table[answer.label][answer.answer] += 1
        return table

    def _rightness(self) -> dict[int, float]:
        """Return for each clip the fraction of right answers over the seeds."""
        found: dict[int, list[bool]] = {}
        for answer in self.answers:
            if not answer.damage:
                found.setdefault(answer.clip, []).append(answer.is_right)
        return {clip: statistics.fmean(right) for clip, right in found.items()}


def wilson_interval(fraction: float, num_trials: int) -> Interval:
    """Return a fraction with its 95 % confidence interval.

    Args:
        fraction: Of successes, between 0 and 1.
        num_trials: How many trials it comes from, at least 1.

    Returns:
        The interval; it stays within 0 and 1.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> interval = wilson_interval(279 / 282, 282)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.969, 0.996)
    """
    if not 0 <= fraction <= 1 or num_trials < 1:
        raise ValueError(
            f"no interval for a fraction {fraction} of {num_trials} trials"
        )
    spread = _Z_95**2 / num_trials
    centre = (fraction + spread / 2) / (1 + spread)
    reach = math.sqrt(fraction * (1 - fraction) * spread + spread**2 / 4) / (1 + spread)
    return Interval(fraction, max(0.0, centre - reach), min(1.0, centre + reach))
