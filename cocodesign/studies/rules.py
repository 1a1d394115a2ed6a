"""What is decided before a comparison starts."""

from dataclasses import dataclass, replace

from cocodesign.seeding import stream_seed
from cocodesign.studies.race import Race


@dataclass(frozen=True)
class Rules:
    """What is the same for every contender, fixed beforehand.

    Attributes:
        target_accuracy: Accuracy to reach, between 0 and 1: on the validation examples
            in a trial, on the test examples in a race.
        mini_batch_sizes: Each is tuned and raced on its own.
        evaluation_intervals: Steps between evaluations, one per mini-batch size: an
            evaluation costs as much as several steps of a small mini-batch.
        seeds: Of the races; each gives weights and mini-batches to every contender.
        max_steps: Step budget of a race and of a trial.
    """

    target_accuracy: float
    mini_batch_sizes: tuple[int, ...]
    evaluation_intervals: tuple[int, ...]
    seeds: tuple[int, ...]
    max_steps: int

    def __post_init__(self) -> None:
        if not self.seeds or not self.mini_batch_sizes:
            raise ValueError("seeds and mini_batch_sizes need at least one value each")
        if len(self.evaluation_intervals) != len(self.mini_batch_sizes):
            raise ValueError(
                "evaluation_intervals needs one value for each of the mini-batch sizes "
                f"{self.mini_batch_sizes}, got {self.evaluation_intervals}"
            )

    def race(self, mini_batch_size: int, seed: int) -> Race:
        """Return the conditions of a race.

        Args:
            mini_batch_size: Examples per step.
            seed: Of weights and mini-batches.

        Returns:
            The same for every contender.
        """
        intervals = dict(
            zip(self.mini_batch_sizes, self.evaluation_intervals, strict=True)
        )
        return Race(
            mini_batch_size=mini_batch_size,
            seed=seed,
            split="test",
            target_accuracy=self.target_accuracy,
            max_steps=self.max_steps,
            evaluation_interval=intervals[mini_batch_size],
        )

    def trial(self, mini_batch_size: int, *, max_steps: int | None = None) -> Race:
        """Return the conditions of a tuning trial.

        It is a race, so that what is chosen is what wins: the accuracy after a fixed
        number of steps prefers small learning rates, which lead at first. Its seed is
        none of the races'.

        Args:
            mini_batch_size: Examples per step.
            max_steps: The fewest steps that another trial took; ``None`` if none
                arrived yet.

        Returns:
            The same for every contender.
        """
        race = self.race(mini_batch_size, stream_seed(self.seeds[0], "tuning"))
        steps = self.max_steps if max_steps is None else max_steps
        return replace(race, split="validation", max_steps=steps)
