"""Fashion-MNIST, or any grey pictures, as AlexNet sees them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.data import ImageClassification
from cocodesign.seeding import random_stream

IMAGE_SIZE = 64
"""Pixels of a side, after enlarging."""

_MINI_BATCH_SIZE = 64
_EVALUATION_BATCH = 250


@dataclass(frozen=True)
class Pictures:
    """Pictures at their original size, on one device, each with its class index.

    Attributes:
        train: What is learned from.
        validation: What chooses.
        test: What judges.
        num_classes: Number of classes.
    """

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    num_classes: int

    @classmethod
    def of(
        cls,
        dataset: ImageClassification,
        *,
        num_train: int,
        num_validation: int,
        num_test: int,
        device: torch.device,
    ) -> "Pictures":
        """Choose pictures of a data set.

        Args:
            dataset: Grey pictures.
            num_train: Pictures to learn from, the first ones; those for validation, its
                last ones, included.
            num_validation: Pictures that choose.
            num_test: Pictures that judge, the first ones of the test set.
            device: Where they are kept.

        Returns:
            The pictures.

        Raises:
            ValueError: If there are not so many.
        """
        if not 0 < num_validation < num_train <= len(dataset.train):
            raise ValueError(
                f"num_validation {num_validation} must be below num_train {num_train}, "
                f"and that at most {len(dataset.train)}"
            )
        if not 0 < num_test <= len(dataset.test):
            raise ValueError(
                f"num_test must be from 1 to {len(dataset.test)}, got {num_test}"
            )
        images, test_images = (each.to(device) for each in dataset.normalised())
        labels = dataset.train.labels.to(device)
        cut = num_train - num_validation
        return cls(
            (images[:cut], labels[:cut]),
            (images[cut:num_train], labels[cut:num_train]),
            (test_images[:num_test], dataset.test.labels[:num_test].to(device)),
            len(dataset.class_names),
        )

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield mini-batches of 64 without end, every epoch in a new order."""
        images, labels = self.train
        generator = random_stream(seed, "batches")
        size = min(_MINI_BATCH_SIZE, len(labels))
        while True:
            order = torch.randperm(len(labels), generator=generator)
            for start in range(0, len(order) - size + 1, size):
                chosen = order[start : start + size].to(labels.device)
                yield enlarge(images[chosen]), labels[chosen]

    def validate(self, model: nn.Module) -> float:
        """Return a network's accuracy on the validation pictures."""
        return accuracy(model, *self.validation)


def enlarge(images: Tensor) -> Tensor:
    """Enlarge grey pictures to 64×64 and show them as three channels."""
    return functional.interpolate(images, IMAGE_SIZE, mode="bilinear").expand(
        -1, 3, -1, -1
    )


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of pictures whose best score is their class's."""
    model.eval()
    hits = sum(
        int((model(enlarge(part)).argmax(1) == answers).sum())
        for part, answers in zip(
            images.split(_EVALUATION_BATCH),
            labels.split(_EVALUATION_BATCH),
            strict=True,
        )
    )
    return hits / len(labels)
