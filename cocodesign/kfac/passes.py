"""What the passes before one step add up to.

Notation as in ``cocodesign.kfac.factors``. A *pass* is one backward pass, told apart by
a key; a layer that is used several times in one pass meets the same examples again.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor


class PassSum:
    """A sum over passes, and over how many examples and rows it went."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Drop everything."""
        self._moment: Tensor | None = None
        self._of_examples: dict[int, Tensor] = {}
        self._num_examples: dict[int, int] = {}
        self._num_passed: dict[int, int] = {}
        self.num_rows = 0

    @property
    def num_examples(self) -> int:
        """Examples that were looked at, each counted once per pass."""
        return sum(self._num_examples.values())

    @property
    def num_passed(self) -> int:
        """Examples that the passes held, looked at or not."""
        return sum(self._num_passed.values())

    def count(self, key: int, *, num_examples: int, num_passed: int) -> None:
        """Note the size of a pass.

        Args:
            key: Of the pass.
            num_examples: How many of its examples are looked at.
            num_passed: How many it holds.
        """
        # A packed sequence has fewer examples at its later positions.
        self._num_examples[key] = max(self._num_examples.get(key, 0), num_examples)
        self._num_passed[key] = max(self._num_passed.get(key, 0), num_passed)

    def add_moment(self, moment: Float[Tensor, "..."], num_rows: int) -> None:
        """Add a sum of products that is complete.

        Args:
            moment: The sum; may be changed later.
            num_rows: How many rows it went over.
        """
        self._moment = moment if self._moment is None else self._moment.add_(moment)
        self.num_rows += num_rows

    def add_to_examples(
        self, key: int, values: Float[Tensor, "... batch features"]
    ) -> None:
        """Add to what is summed within each example before products are taken.

        Args:
            key: Of the pass.
            values: One row per example, for the first examples of the pass.
        """
        if key not in self._of_examples:
            self._of_examples[key] = values
            return
        known = self._of_examples[key]
        if known.shape[-2] < values.shape[-2]:
            known, values = values, known
        known[..., : values.shape[-2], :] += values
        self._of_examples[key] = known

    def total(
        self, moment_of: Callable[[Float[Tensor, "... batch features"]], Tensor]
    ) -> Tensor | None:
        """Return the sum over everything that was added.

        Args:
            moment_of: Takes the products of what was summed within examples.

        Returns:
            ``None`` if nothing was added.
        """
        for values in self._of_examples.values():
            self.add_moment(moment_of(values), values.shape[-2])
        self._of_examples.clear()
        return self._moment
