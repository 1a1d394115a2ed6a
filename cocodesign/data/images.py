"""Images with one label each, as tensors.

Pixels stay ``uint8`` until a training asks for numbers: that is a quarter of the
memory, and the conversion is one pass.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True)
class LabelledImages:
    """Images and their labels, one split of a data set.

    Attributes:
        images: Pixels from 0 to 255.
        labels: The class of each image, 0, 1, ….
    """

    images: UInt8[Tensor, "n channels height width"]
    labels: Int64[Tensor, " n"]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(
                f"{len(self.images)} images, but {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, num: int) -> "LabelledImages":
        """Return the first images, in their order, sharing memory.

        Args:
            num: How many.

        Returns:
            The images 0 to ``num - 1``.

        Raises:
            ValueError: If there are fewer.
        """
        self._check_num(num)
        return LabelledImages(self.images[:num], self.labels[:num])

    def balanced_subset(self, num: int, generator: torch.Generator) -> "LabelledImages":
        """Draw images at random, as many of each class as possible.

        Every class gives ``num // num_classes`` images or one more; a class that has
        fewer gives all it has, and the others make up for it.

        Args:
            num: How many.
            generator: Decides which ones; equal states give equal subsets.

        Returns:
            A copy, in the order of the originals.

        Raises:
            ValueError: If there are fewer images.
        """
        self._check_num(num)
        order = torch.randperm(len(self), generator=generator)
        shuffled = self.labels[order]
        # The k-th image of its class comes before all (k+1)-th ones, so the first
        # `num` take from the classes in turns.
        turn = torch.empty_like(order)
        for label in shuffled.unique():
            places = (shuffled == label).nonzero()[:, 0]
            turn[places] = torch.arange(len(places))
        chosen = order[turn.argsort(stable=True)[:num]].sort().values
        return LabelledImages(self.images[chosen], self.labels[chosen])

    def channel_statistics(
        self,
    ) -> tuple[Float64[Tensor, " channels"], Float64[Tensor, " channels"]]:
        """Return mean and standard deviation of each channel.

        Returns:
            Both over all pixels of all images, scaled to the range from 0 to 1, as
            of a whole population; exact, because they are computed from counts.

        Raises:
            ValueError: If there are no images.
        """
        if self.images.numel() == 0:
            raise ValueError("there are no pixels to take the mean of")
        counts = torch.stack(
            [
                torch.bincount(channel.flatten(), minlength=256)
                for channel in self.images.unbind(dim=1)
            ]
        ).double()
        levels = torch.arange(256, dtype=torch.float64) / 255
        fractions = counts / counts.sum(dim=1, keepdim=True)
        mean = fractions @ levels
        variance = (fractions * (levels - mean[:, None]) ** 2).sum(dim=1)
        return mean, variance.sqrt()

    def normalised(
        self,
        mean: Float64[Tensor, " channels"],
        std: Float64[Tensor, " channels"],
    ) -> Float32[Tensor, "n channels height width"]:
        """Return the images as numbers: ``(pixel / 255 - mean) / std``.

        Args:
            mean: To subtract from each channel, in units of the full range.
            std: To divide each channel by, positive.

        Returns:
            A new tensor.

        Raises:
            ValueError: If a standard deviation is not positive.
        """
        if not bool((std > 0).all()):
            raise ValueError(f"std must be positive in every channel, got {std}")
        # One multiplication and one addition, each constant rounded only once.
        scale = (1 / (255 * std)).float()[:, None, None]
        shift = (-mean / std).float()[:, None, None]
        return self.images.float().mul_(scale).add_(shift)

    def _check_num(self, num: int) -> None:
        if not 0 <= num <= len(self):
            raise ValueError(f"num is {num}, but there are {len(self)} images")


@dataclass(frozen=True)
class ImageClassification:
    """A data set of labelled images with its official splits.

    Attributes:
        name: The data set's name.
        train: What a model may learn from.
        test: What it is judged on.
        class_names: Meaning of the labels 0, 1, ….
    """

    name: str
    train: LabelledImages
    test: LabelledImages
    class_names: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    def normalised(
        self,
    ) -> tuple[
        Float32[Tensor, "n channels height width"],
        Float32[Tensor, "m channels height width"],
    ]:
        """Return the images of both splits as numbers of mean 0 and deviation 1.

        Returns:
            Training and test images, both by the statistics of the training images,
            channel by channel.

        Raises:
            ValueError: If a channel of the training images is constant.
        """
        mean, std = self.train.channel_statistics()
        return self.train.normalised(mean, std), self.test.normalised(mean, std)
