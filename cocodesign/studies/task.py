"""What is learned and what it is judged on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cocodesign.seeding import random_stream


@dataclass(frozen=True)
class Task:
    """Examples held in memory, all on one device.

    Attributes:
        train_examples: What may be learned from, such as standardised pictures.
        train_labels: Their class indices.
        test_examples: What decides whether a target is reached.
        test_labels: Their class indices.
    """

    train_examples: Float[Tensor, "num_train ..."]
    train_labels: Int[Tensor, " num_train"]
    test_examples: Float[Tensor, "num_test ..."]
    test_labels: Int[Tensor, " num_test"]

    @property
    def device(self) -> torch.device:
        """Where the examples are and the training runs."""
        return self.train_examples.device

    @property
    def num_train(self) -> int:
        """Number of training examples."""
        return len(self.train_labels)

    def validation_task(self, num_validation: int, seed: int) -> "Task":
        """Cut a validation set from the training examples.

        Args:
            num_validation: How many examples to put aside, at least 1 and fewer than
                there are.
            seed: Decides which ones.

        Returns:
            A task that trains on the others and is judged on those. It holds none of
            the test examples.

        Raises:
            ValueError: If ``num_validation`` leaves one side empty.
        """
        if not 1 <= num_validation < self.num_train:
            raise ValueError(
                f"num_validation must lie between 1 and {self.num_train - 1}, "
                f"got {num_validation}"
            )
        generator = random_stream(seed, "validation")
        order = torch.randperm(self.num_train, generator=generator).to(self.device)
        held_out, kept = order[:num_validation], order[num_validation:]
        return Task(
            self.train_examples[kept],
            self.train_labels[kept],
            self.train_examples[held_out],
            self.train_labels[held_out],
        )
