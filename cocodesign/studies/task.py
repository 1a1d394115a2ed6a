"""What is learned and what it is judged on."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cocodesign.data import ImageClassification
from cocodesign.seeding import random_stream
from cocodesign.training import BatchStream, evaluate
from cocodesign.training.augmentation import AugmentedStream
from cocodesign.training.batches import ResumableStream

Split = Literal["validation", "test"]

_SPLITS = ("validation", "test")


def check_split(split: str) -> None:
    """Refuse a split that is none.

    Args:
        split: The name.

    Raises:
        ValueError: If there is no such split.
    """
    if split not in _SPLITS:
        raise ValueError(f"split must be one of {_SPLITS}, got {split!r}")


@runtime_checkable
class Task(Protocol):
    """What is learned: mini-batches to train on, examples to be judged on.

    Validation examples may choose settings; test examples choose nothing.
    """

    @property
    def device(self) -> torch.device:
        """Where the training runs."""
        ...

    @property
    def num_train(self) -> int:
        """Number of training examples."""
        ...

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        ...

    def pass_size(self, mini_batch_size: int) -> int:
        """Return how many examples of a mini-batch go through the network at once."""
        ...

    def stream(self, mini_batch_size: int, seed: int) -> ResumableStream:
        """Return an endless stream of training mini-batches."""
        ...

    def accuracy(self, model: nn.Module, split: Split) -> float:
        """Judge a model."""
        ...


@dataclass(frozen=True)
class MemoryTask:
    """Examples held in memory, all on one device.

    Attributes:
        train_examples: What may be learned from, such as standardised pictures.
        train_labels: Their class indices.
        validation_examples: What settings are chosen by.
        validation_labels: Their class indices.
        test_examples: What decides whether a target is reached in a race.
        test_labels: Their class indices.
        erases: Whether a rectangle is blanked in half of the training pictures, anew in
            every epoch, as ``random_erasing`` does.
    """

    train_examples: Float[Tensor, "num_train ..."]
    train_labels: Int[Tensor, " num_train"]
    validation_examples: Float[Tensor, "num_validation ..."]
    validation_labels: Int[Tensor, " num_validation"]
    test_examples: Float[Tensor, "num_test ..."]
    test_labels: Int[Tensor, " num_test"]
    erases: bool = False

    @classmethod
    def of_images(
        cls,
        dataset: ImageClassification,
        num_train: int,
        num_validation: int,
        device: torch.device | str = "cpu",
        *,
        erases: bool = False,
    ) -> "MemoryTask":
        """Take the first training images, and validation images right behind them.

        Args:
            dataset: The images; all its test images become the test examples.
            num_train: How many images to train on.
            num_validation: How many images to choose settings by.
            device: Where to put them.
            erases: Whether rectangles are blanked in training images.

        Returns:
            The task; no example is in two of its three sets.

        Raises:
            ValueError: If a number is below 1 or the data set has fewer images.
        """
        end = num_train + num_validation
        if num_train < 1 or num_validation < 1 or end > len(dataset.train):
            raise ValueError(
                "num_train and num_validation must be at least 1 and together at most "
                f"{len(dataset.train)}, got {num_train} and {num_validation}"
            )
        train, test = (images.to(device) for images in dataset.normalised())
        labels = dataset.train.labels.to(device)
        return cls(
            train[:num_train],
            labels[:num_train],
            train[num_train:end],
            labels[num_train:end],
            test,
            dataset.test.labels.to(device),
            erases,
        )

    @property
    def device(self) -> torch.device:
        """Where the examples are and the training runs."""
        return self.train_examples.device

    @property
    def num_train(self) -> int:
        """Number of training examples."""
        return len(self.train_labels)

    @property
    def num_classes(self) -> int:
        """One more than the largest label of the training examples."""
        return int(self.train_labels.max()) + 1

    def pass_size(self, mini_batch_size: int) -> int:
        """Return the mini-batch size: what is in memory goes through at once."""
        return mini_batch_size

    def stream(self, mini_batch_size: int, seed: int) -> ResumableStream:
        """Return an endless stream of training mini-batches.

        Args:
            mini_batch_size: Examples per mini-batch; ``num_train`` is full batch.
            seed: Decides the order, and what is erased.

        Returns:
            A new stream from its first mini-batch on.
        """
        stream = BatchStream(
            self.train_examples,
            self.train_labels,
            mini_batch_size,
            random_stream(seed, "batches"),
        )
        if not self.erases:
            return stream
        return AugmentedStream(
            stream,
            self.num_classes,
            random_stream(seed, "erasing"),
            mixup_alpha=None,
            erases=True,
        )

    def accuracy(self, model: nn.Module, split: Split) -> float:
        """Judge a model.

        Args:
            model: What is judged, in evaluation mode meanwhile.
            split: On which examples.

        Returns:
            The fraction of examples that it classifies rightly.

        Raises:
            ValueError: If there is no such split.
        """
        check_split(split)
        if split == "validation":
            return evaluate(model, self.validation_examples, self.validation_labels)
        return evaluate(model, self.test_examples, self.test_labels)
