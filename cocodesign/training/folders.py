"""Pictures in folders, one folder a class, read while training: ImageNet's layout."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from cocodesign.errors import DataUnavailableError
from cocodesign.seeding import random_stream, stream_seed
from cocodesign.training.batches import Batch

# Of ImageNet's training pictures, as torchvision's models expect it.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_RESIZED_OVER_CROPPED = 256 / 224  # of a picture that is judged

Transform = Callable[[Any], Tensor]


def open_image_folder(folder: Path, split: str, *, image_px: int = 224) -> ImageFolder:
    """Open the pictures below ``folder/split``, one folder a class.

    Args:
        folder: Holds ``train`` and ``val``.
        split: ``"train"`` gives random crops and mirrored pictures, drawn from torch's
            global generator; any other split a fixed crop of the middle.
        image_px: Height and width of what comes out, in pixels.

    Returns:
        A data set of standardised pictures and class indices.

    Raises:
        DataUnavailableError: If there are no pictures; it says what to put where.
    """
    try:
        return ImageFolder(
            folder / split, _transform(image_px, random=split == "train")
        )
    except FileNotFoundError as error:
        raise DataUnavailableError(
            f"{folder / split} holds no pictures ({error}). ImageNet-1K may not be "
            "passed on: get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from "
            "image-net.org with an account of your own and unpack them so that every "
            f"class is a folder, {folder}/train/n01440764/….JPEG and "
            f"{folder}/val/n01440764/….JPEG; then name {folder} by the notebook's "
            "parameter image_folder"
        ) from error


class FolderStream(Iterator[Batch]):
    """An endless sequence of mini-batches of pictures, read by worker processes.

    Every epoch is a new random order; what is left below a full mini-batch is dropped.
    A picture's crop depends on the seed, the epoch and the picture alone, so that the
    number of workers changes nothing and a resumed training sees the same crops.

    Args:
        pictures: Where they come from; random transforms draw from torch's global
            generator.
        chosen: Indices of the pictures that take part.
        mini_batch_size: Examples per mini-batch.
        seed: Decides orders and crops.
        num_workers: Processes that read; 0 reads in this one.
        device: Where the mini-batches go.

    Raises:
        ValueError: If there are fewer pictures than a mini-batch.
    """

    def __init__(
        self,
        pictures: ImageFolder,
        chosen: Tensor,
        mini_batch_size: int,
        seed: int,
        *,
        num_workers: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if not 1 <= mini_batch_size <= len(chosen):
            raise ValueError(
                f"mini_batch_size must lie between 1 and the {len(chosen)} pictures, "
                f"got {mini_batch_size}"
            )
        self._pictures = _SeededPictures(pictures, seed)
        self._chosen = chosen
        self._mini_batch_size = mini_batch_size
        self._seed = seed
        self._num_workers = num_workers
        self._device = device
        self._epoch = 0
        self._position = 0
        self._loaded: Iterator[Batch] | None = None

    @property
    def num_batches(self) -> int:
        """Mini-batches per epoch."""
        return len(self._chosen) // self._mini_batch_size

    def __next__(self) -> Batch:
        if self._position == self.num_batches:
            self._epoch += 1
            self._position = 0
            self._loaded = None
        if self._loaded is None:
            self._loaded = iter(self._loader())
        images, labels = next(self._loaded)
        self._position += 1
        return images.to(self._device), labels.to(self._device)

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch and the place in it."""
        return {
            "num_examples": len(self._chosen),
            "mini_batch_size": self._mini_batch_size,
            "epoch": self._epoch,
            "position": self._position,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another stream over the same pictures, of one seed, stood.

        Args:
            state: What ``state_dict`` gave.

        Raises:
            ValueError: If the number of pictures or the mini-batch size differs.
        """
        found = (state["num_examples"], state["mini_batch_size"])
        expected = (len(self._chosen), self._mini_batch_size)
        if found != expected:
            raise ValueError(
                f"a stream of {found[0]} pictures in mini-batches of {found[1]} cannot "
                f"continue as one of {expected[0]} in mini-batches of {expected[1]}"
            )
        self._epoch, self._position = state["epoch"], state["position"]
        self._loaded = None

    def _loader(self) -> DataLoader[Batch]:
        """Return what is left of the epoch.

        Here several processes would share the work: each reads its part of every
        mini-batch, by its rank.
        """
        generator = random_stream(self._seed, f"order/{self._epoch}")
        order = self._chosen[torch.randperm(len(self._chosen), generator=generator)]
        rows = order[: self.num_batches * self._mini_batch_size].tolist()
        batches = [
            [
                (self._epoch, index)
                for index in rows[start : start + self._mini_batch_size]
            ]
            for start in range(
                self._position * self._mini_batch_size, len(rows), self._mini_batch_size
            )
        ]
        return DataLoader(
            self._pictures,
            batch_sampler=batches,
            num_workers=self._num_workers,
            pin_memory=torch.device(self._device).type == "cuda",
            # Its workers' own seeds do not matter; else it would move the global state.
            generator=random_stream(self._seed, "workers"),
        )


class _SeededPictures(Dataset):
    """Pictures by epoch and index, whose random crop depends on nothing else."""

    def __init__(self, pictures: ImageFolder, seed: int) -> None:
        self._pictures = pictures
        self._seed = seed

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, place: tuple[int, int]) -> tuple[Tensor, int]:
        epoch, index = place
        # Of the CPU only: a worker must not touch CUDA.
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(
            stream_seed(self._seed, f"crop/{epoch}/{index}")
        )
        try:
            return self._pictures[index]
        finally:
            torch.set_rng_state(state)


def _transform(image_px: int, *, random: bool) -> Transform:
    if random:
        shaped = [
            transforms.RandomResizedCrop(image_px),
            transforms.RandomHorizontalFlip(),
        ]
    else:
        shaped = [
            transforms.Resize(round(image_px * _RESIZED_OVER_CROPPED)),
            transforms.CenterCrop(image_px),
        ]
    return transforms.Compose(
        [*shaped, transforms.ToTensor(), transforms.Normalize(_MEAN, _STD)]
    )
