"""Pictures to learn, to choose by and to judge by, with pixels from 0 to 1."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cocodesign.seeding import random_stream

Labelled = tuple[Tensor, Tensor]
"""Pictures, float with axes n, depth, height, width, and one class index each."""


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures in three parts that share none.

    Attributes:
        train: To learn by.
        validation: To choose by.
        test: To judge by.
        num_classes: Number of classes.
    """

    train: Labelled
    validation: Labelled
    test: Labelled
    num_classes: int

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            images, labels = getattr(self, name)
            if not len(images) or len(images) != len(labels):
                raise ValueError(
                    f"{name} needs as many pictures as labels, and some: got "
                    f"{len(images)} and {len(labels)}"
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, depth, height, width = self.train[0].shape
        return depth, height, width

    @staticmethod
    def of(
        train: Labelled,
        test: Labelled,
        *,
        num_train: int,
        num_validation: int,
        num_test: int,
        num_classes: int,
        device: torch.device | str = "cpu",
    ) -> "Pictures":
        """Take the first pictures to learn by, those behind them to choose by.

        Args:
            train: Training pictures, pixels from 0 to 1.
            test: Test pictures.
            num_train: How many to learn by.
            num_validation: How many to choose by.
            num_test: How many to judge by.
            num_classes: Number of classes.
            device: Where they go.

        Returns:
            The parts.

        Raises:
            ValueError: If there are not enough.
        """
        needed = num_train + num_validation
        if needed > len(train[0]) or num_test > len(test[0]):
            raise ValueError(
                f"{needed} training and {num_test} test pictures are wanted, there are "
                f"{len(train[0])} and {len(test[0])}"
            )

        def part(source: Labelled, first: int, last: int) -> Labelled:
            images, labels = source
            return images[first:last].to(device), labels[first:last].to(device)

        return Pictures(
            part(train, 0, num_train),
            part(train, num_train, needed),
            part(test, 0, num_test),
            num_classes,
        )

    def batches(self, seed: int, size: int) -> Iterator[Labelled]:
        """Return mini-batches of the training pictures without end.

        Args:
            seed: Of their order.
            size: Pictures in each; what is left at the end of a pass is dropped.

        Yields:
            Pictures and labels.

        Raises:
            ValueError: If there are fewer pictures than a mini-batch takes.
        """
        images, labels = self.train
        if not 1 <= size <= len(images):
            raise ValueError(
                f"a mini-batch takes 1 to {len(images)} pictures, got {size}"
            )
        generator = random_stream(seed, "mini-batches")
        while True:
            order = torch.randperm(len(images), generator=generator).to(images.device)
            for chosen in order[: len(order) // size * size].split(size):
                yield images[chosen], labels[chosen]
