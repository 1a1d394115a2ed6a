"""Shuffled mini-batches of examples that are held in memory."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Examples with a class index each, or with a distribution over the classes (mixup).
Batch = tuple[
    Float[Tensor, "batch ..."], Int[Tensor, " batch"] | Float[Tensor, "batch classes"]
]


@runtime_checkable
class ResumableStream(Protocol):
    """An endless sequence of mini-batches that knows its place."""

    def __next__(self) -> Batch:
        """Return the next mini-batch."""
        ...

    def __iter__(self) -> Iterator[Batch]:
        """Return itself."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the place; ``num_examples`` and ``mini_batch_size`` tell whose."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a place of an equal stream."""
        ...


class BatchStream(Iterator[Batch]):
    """An endless sequence of mini-batches, epoch after epoch.

    Every epoch is a new random order of all examples; what is left of it below a full
    mini-batch is dropped, so that all mini-batches have one size. Examples stay on the
    device they are given on.

    Args:
        examples: The inputs, such as standardised pictures.
        labels: One class index per example.
        mini_batch_size: Examples per mini-batch, at most as many as there are.
        generator: Where the orders come from, a CPU generator of this stream alone.

    Raises:
        ValueError: If the sizes do not fit.

    Example:
        >>> examples, labels = torch.arange(6.0)[:, None], torch.arange(6)
        >>> generator = torch.Generator().manual_seed(0)
        >>> stream = BatchStream(examples, labels, 3, generator)
        >>> epoch = [label.item() for _ in range(2) for label in next(stream)[1]]
        >>> sorted(epoch)
        [0, 1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        examples: Float[Tensor, "num_examples ..."],
        labels: Int[Tensor, " num_labels"],
        mini_batch_size: int,
        generator: torch.Generator,
    ) -> None:
        if len(examples) != len(labels):
            raise ValueError(f"{len(examples)} examples, but {len(labels)} labels")
        if not 1 <= mini_batch_size <= len(examples):
            raise ValueError(
                f"mini_batch_size must lie between 1 and the {len(examples)} examples, "
                f"got {mini_batch_size}"
            )
        self._examples = examples
        self._labels = labels
        self._mini_batch_size = mini_batch_size
        self._generator = generator
        self._position = 0
        self._order = self._shuffled()

    @property
    def mini_batch_size(self) -> int:
        """Examples per mini-batch."""
        return self._mini_batch_size

    @property
    def num_batches(self) -> int:
        """Mini-batches per epoch."""
        return len(self._examples) // self._mini_batch_size

    def __next__(self) -> Batch:
        if self._position == self.num_batches:
            self._position = 0
            self._order = self._shuffled()
        start = self._position * self._mini_batch_size
        self._position += 1
        chosen = self._order[start : start + self._mini_batch_size]
        chosen = chosen.to(self._examples.device)
        return self._examples[chosen], self._labels[chosen]

    def state_dict(self) -> dict[str, Any]:
        """Return the place within the epoch and the state of the generator."""
        return {
            "num_examples": len(self._examples),
            "mini_batch_size": self._mini_batch_size,
            "position": self._position,
            "order": self._order.clone(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another stream over the same examples stood.

        Args:
            state: What ``state_dict`` gave.

        Raises:
            ValueError: If the number of examples or the mini-batch size differs.
        """
        found = (state["num_examples"], state["mini_batch_size"])
        expected = (len(self._examples), self._mini_batch_size)
        if found != expected:
            raise ValueError(
                f"a stream of {found[0]} examples in mini-batches of {found[1]} cannot "
                f"continue as one of {expected[0]} in mini-batches of {expected[1]}"
            )
        self._position = state["position"]
        self._order = state["order"].clone()
        self._generator.set_state(state["generator"])

    def _shuffled(self) -> Tensor:
        return torch.randperm(len(self._examples), generator=self._generator)
