"""All that a comparison measured."""

from dataclasses import dataclass

from cocodesign.studies.outcomes import Outcome, Quantity, Ratio, cost_ratio
from cocodesign.studies.rules import Rules


@dataclass(frozen=True)
class Comparison:
    """All that ``compare_convergence`` measured.

    Attributes:
        rules: By which.
        trials: The tuning trials: outcomes on the validation examples.
        races: The outcomes on the test examples, by seed.
    """

    rules: Rules
    trials: tuple[Outcome, ...]
    races: tuple[Outcome, ...]

    def races_of(self, contender: str, mini_batch_size: int) -> tuple[Outcome, ...]:
        """Return the races of a contender, in the order of the seeds.

        Args:
            contender: Its name.
            mini_batch_size: At which mini-batch size.

        Returns:
            One outcome per seed.

        Raises:
            ValueError: If there was no such race.
        """
        found = tuple(
            race
            for race in self.races
            if (race.contender, race.mini_batch_size) == (contender, mini_batch_size)
        )
        if not found:
            raise ValueError(f"no race of {contender!r} at {mini_batch_size} examples")
        return found

    def ratios(
        self,
        baseline: str,
        candidate: str,
        mini_batch_size: int,
        quantity: Quantity,
    ) -> tuple[Ratio | None, ...]:
        """Divide a baseline's cost to the target by a candidate's, seed by seed.

        Args:
            baseline: Name of the numerator.
            candidate: Name of the denominator.
            mini_batch_size: At which mini-batch size.
            quantity: Which cost.

        Returns:
            One ratio per seed; above 1 the candidate is better. ``None`` where neither
            reached the target.
        """
        return tuple(
            cost_ratio(first, second, quantity)
            for first, second in zip(
                self.races_of(baseline, mini_batch_size),
                self.races_of(candidate, mini_batch_size),
                strict=True,
            )
        )
