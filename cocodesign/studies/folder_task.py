"""ImageNet, or anything laid out like it, as a task; and the choice of a task."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import ImageFolder

from cocodesign.data import load_dataset
from cocodesign.errors import DataFormatError
from cocodesign.seeding import random_stream
from cocodesign.studies.task import MemoryTask, Split, Task, check_split
from cocodesign.training.folders import FolderStream, open_image_folder


def load_task(
    image_folder: str,
    *,
    num_train: int,
    num_validation: int,
    device: torch.device,
    erases: bool = False,
) -> Task:
    """Return Fashion-MNIST in memory, or ImageNet from a folder.

    Args:
        image_folder: A folder with ``train`` and ``val``, one folder a class below
            each; empty for Fashion-MNIST, which is fetched if it is not there.
        num_train: Training images of Fashion-MNIST, the first ones; a folder gives all.
        num_validation: Training images that choose settings instead of training: those
            behind the first, or random ones of a folder.
        device: Where the training runs.
        erases: Whether rectangles are blanked in Fashion-MNIST's training images; what
            happens to those of a folder is the recipe's affair.

    Returns:
        The task.
    """
    if image_folder:
        folder = Path(image_folder).expanduser()
        return FolderTask(folder, device, num_validation=num_validation)
    dataset = load_dataset("fashion_mnist")
    return MemoryTask.of_images(
        dataset, num_train, num_validation, device, erases=erases
    )


@dataclass(frozen=True)
class FolderTask:
    """Pictures in folders, one folder a class: ``train`` to learn, ``val`` as test.

    ImageNet's validation pictures judge the races, as they do in every publication.
    Settings, where any are chosen, are chosen by training pictures put aside.

    Attributes:
        folder: Holds ``train`` and ``val``.
        device: Where the training runs.
        num_validation: Training pictures put aside, at random.
        examples_per_pass: The most examples that go through the network at once; a
            larger mini-batch takes several passes a step.
        num_workers: Processes that read pictures.
        image_px: Height and width in pixels of what the network sees.
    """

    folder: Path
    device: torch.device
    num_validation: int = 0
    examples_per_pass: int = 256
    num_workers: int = 8
    image_px: int = 224

    @property
    def num_train(self) -> int:
        """Number of training pictures, without those put aside."""
        return len(self._kept)

    @property
    def num_classes(self) -> int:
        """Number of folders below ``train``."""
        return len(self._train.classes)

    def pass_size(self, mini_batch_size: int) -> int:
        """Return how many examples of a mini-batch go through the network at once.

        Args:
            mini_batch_size: Examples per step.

        Returns:
            The mini-batch size, or ``examples_per_pass`` if that is smaller.

        Raises:
            ValueError: If the mini-batch is not made of whole passes.
        """
        size = min(mini_batch_size, self.examples_per_pass)
        if mini_batch_size % size:
            raise ValueError(
                f"mini_batch_size must be a multiple of examples_per_pass = {size}, "
                f"got {mini_batch_size}"
            )
        return size

    def stream(self, mini_batch_size: int, seed: int) -> FolderStream:
        """Return an endless stream of training mini-batches.

        Args:
            mini_batch_size: Examples per mini-batch, one pass.
            seed: Decides orders and crops.

        Returns:
            A new stream from its first mini-batch on.
        """
        return FolderStream(
            self._train,
            self._kept,
            mini_batch_size,
            seed,
            num_workers=self.num_workers,
            device=self.device,
        )

    @torch.no_grad()
    def accuracy(self, model: nn.Module, split: Split) -> float:
        """Judge a model by its first guess.

        Args:
            model: What is judged, in evaluation mode meanwhile.
            split: On which pictures.

        Returns:
            The fraction of pictures that it classifies rightly.

        Raises:
            ValueError: If there is no such split, or no pictures were put aside.
        """
        loader = DataLoader(
            self._judging(split), self.examples_per_pass, num_workers=self.num_workers
        )
        was_training = model.training
        model.eval()
        try:
            num_right = torch.zeros((), dtype=torch.long, device=self.device)
            num_seen = 0
            for images, labels in loader:
                guesses = model(images.to(self.device)).argmax(1)
                num_right += (guesses == labels.to(self.device)).sum()
                num_seen += len(labels)
        finally:
            model.train(was_training)
        return num_right.item() / num_seen

    def _judging(self, split: Split) -> ImageFolder | Subset:
        check_split(split)
        if split == "test":
            return self._test
        if not self.num_validation:
            raise ValueError("num_validation is 0: no training pictures were put aside")
        aside = self._order[: self.num_validation].tolist()
        plain = open_image_folder(self.folder, "train", image_px=self.image_px)
        plain.transform = self._test.transform
        return Subset(plain, aside)

    @cached_property
    def _train(self) -> ImageFolder:
        return open_image_folder(self.folder, "train", image_px=self.image_px)

    @cached_property
    def _test(self) -> ImageFolder:
        test = open_image_folder(self.folder, "val", image_px=self.image_px)
        if test.classes != self._train.classes:
            missing = sorted(set(test.classes) ^ set(self._train.classes))
            raise DataFormatError(
                f"{self.folder}: the classes of train and val differ in "
                f"{', '.join(missing[:5])}; both need one folder for every class"
            )
        return test

    @cached_property
    def _order(self) -> Tensor:
        generator = random_stream(0, "validation")
        return torch.randperm(len(self._train), generator=generator)

    @cached_property
    def _kept(self) -> Tensor:
        if not 0 <= self.num_validation < len(self._order):
            raise ValueError(
                f"num_validation must lie between 0 and {len(self._order) - 1}, "
                f"got {self.num_validation}"
            )
        return self._order[self.num_validation :]
