"""What is decided before a comparison starts."""

from dataclasses import dataclass, replace

from cocodesign.seeding import stream_seed
from cocodesign.studies.race import Race


@dataclass(frozen=True)
class Rules:
    """What is the same for every contender, fixed beforehand.

    Attributes:
        target_accuracy: Test accuracy to reach, between 0 and 1.
        mini_batch_sizes: Each is tuned and raced on its own.
        seeds: Of the races; each gives weights and mini-batches to every contender.
        max_steps: Step budget of a race.
        num_trial_steps: Step budget of each tuning trial.
        num_validation: Training examples put aside to compare the trials on.
        num_warmup_steps: Steps of the linear warm-up of the learning rate.
        evaluation_interval: Steps between evaluations.
    """

    target_accuracy: float
    mini_batch_sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    max_steps: int
    num_trial_steps: int
    num_validation: int
    num_warmup_steps: int = 5
    evaluation_interval: int = 5

    def __post_init__(self) -> None:
        if not self.seeds or not self.mini_batch_sizes:
            raise ValueError("seeds and mini_batch_sizes need at least one value each")

    def race(self, mini_batch_size: int, seed: int) -> Race:
        """Return the conditions of a race.

        Args:
            mini_batch_size: Examples per step.
            seed: Of weights and mini-batches.

        Returns:
            The same for every contender.
        """
        return Race(
            mini_batch_size=mini_batch_size,
            seed=seed,
            target_accuracy=self.target_accuracy,
            max_steps=self.max_steps,
            num_warmup_steps=self.num_warmup_steps,
            evaluation_interval=self.evaluation_interval,
        )

    def trial(self, mini_batch_size: int) -> Race:
        """Return the conditions of a tuning trial.

        It is a shorter race, so that what is chosen is what wins: the accuracy after a
        fixed number of steps prefers small learning rates, which lead at first. Its
        seed is none of the races'.

        Args:
            mini_batch_size: Examples per step.

        Returns:
            The same for every contender.
        """
        return replace(
            self.race(mini_batch_size, stream_seed(self.seeds[0], "tuning")),
            max_steps=self.num_trial_steps,
        )
