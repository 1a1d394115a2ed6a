"""Pictures to learn by and to judge by, with pixels from 0 to 1."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cocodesign.data import ImageClassification, dataset_names, load_dataset
from cocodesign.data.cifar import read_cifar10
from cocodesign.data.images import LabelledImages
from cocodesign.seeding import random_stream

Labelled = tuple[Tensor, Tensor]
"""Pictures, float with axes n, depth, height, width, and one class index each."""


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures in two parts that share none.

    Attributes:
        train: To learn by.
        test: To judge by.
        class_names: Meaning of the labels 0, 1, ….
    """

    train: Labelled
    test: Labelled
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("train", "test"):
            images, labels = getattr(self, name)
            if not len(images) or len(images) != len(labels):
                raise ValueError(
                    f"{name} needs as many pictures as labels, and some: got "
                    f"{len(images)} and {len(labels)}"
                )

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, depth, height, width = self.train[0].shape
        return depth, height, width

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


def load_pictures(
    data: str,
    *,
    num_train: int,
    num_test: int,
    device: torch.device | str = "cpu",
) -> Pictures:
    """Take the first training pictures and the first test pictures.

    Args:
        data: ``"fashion_mnist"`` or another known data set of pictures, else the folder
            of CIFAR-10's binary version.
        num_train: How many to learn by.
        num_test: How many to judge by, from the test pictures.
        device: Where they go.

    Returns:
        The parts.

    Raises:
        DataFormatError: If the folder is not what it should be.
        ValueError: If there are not enough pictures.
    """
    dataset = load_dataset(data) if data in dataset_names() else read_cifar10(data)
    return divide(dataset, num_train, num_test, device)


def divide(
    dataset: ImageClassification,
    num_train: int,
    num_test: int,
    device: torch.device | str = "cpu",
) -> Pictures:
    """Divide a data set; see ``load_pictures``.

    Args:
        dataset: Its pictures become numbers from 0 to 1.
        num_train: How many to learn by.
        num_test: How many to judge by.
        device: Where they go.

    Returns:
        The parts.

    Raises:
        ValueError: If there are not enough pictures.
    """
    if num_train > len(dataset.train) or num_test > len(dataset.test):
        raise ValueError(
            f"{num_train} training and {num_test} test pictures are wanted, there are "
            f"{len(dataset.train)} and {len(dataset.test)}"
        )

    def part(source: LabelledImages, first: int, last: int) -> Labelled:
        images = source.images[first:last].to(device).float() / 255
        return images, source.labels[first:last].to(device)

    return Pictures(
        part(dataset.train, 0, num_train),
        part(dataset.test, 0, num_test),
        dataset.class_names,
    )
