"""Examples that change from one epoch to the next."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from cocodesign.kfac.mixup import Blended, running_mixup
from cocodesign.training.batches import Batch, ResumableStream


def random_erasing(
    images: Float[Tensor, "batch channels height width"],
    generator: torch.Generator,
    *,
    probability: float = 0.5,
    area_fraction: tuple[float, float] = (0.02, 0.25),
    aspect_ratio: tuple[float, float] = (0.3, 1.0),
    fill: float = 0.0,
) -> Float[Tensor, "batch channels height width"]:
    """Blank a random rectangle in some pictures.

    With an area ``s`` and an aspect ratio ``r``, both uniform, the rectangle is
    ``√(s r)`` high and ``√(s / r)`` wide, rounded; its place is uniform.

    Source: Zhong et al. (2020), arXiv:1708.04896, with the programme's ranges. There a
    rectangle that does not fit is drawn again; here ranges are refused that allow one,
    so that all pictures of a mini-batch are done at once.

    Args:
        images: The pictures, unchanged.
        generator: Where everything is drawn, on the CPU.
        probability: Of a picture to be blanked, in [0, 1].
        area_fraction: Smallest and largest share of the picture's area.
        aspect_ratio: Smallest and largest height over width.
        fill: What is written there, in all channels; 0 is the mean of standardised
            pictures.

    Returns:
        A new tensor.

    Raises:
        ValueError: If a range is empty or allows a rectangle larger than the picture.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> erased = random_erasing(torch.ones(1, 1, 8, 8), generator, probability=1.0)
        >>> 0 < int((erased == 0).sum()) <= 16
        True
    """
    height, width = images.shape[-2:]
    low_area, high_area = area_fraction
    low_ratio, high_ratio = aspect_ratio
    if not (0 <= probability <= 1 and 0 < low_area <= high_area):
        raise ValueError(
            "probability must lie in [0, 1] and area_fraction rise from above 0, got "
            f"{probability} and {area_fraction}"
        )
    if not 0 < low_ratio <= high_ratio:
        raise ValueError(f"aspect_ratio must rise from above 0, got {aspect_ratio}")
    largest = high_area * height * width
    if largest * high_ratio > height**2 or largest / low_ratio > width**2:
        raise ValueError(
            f"area_fraction {area_fraction} and aspect_ratio {aspect_ratio} allow a "
            f"rectangle that does not fit into {height}×{width} pixels"
        )

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), generator=generator)

    chosen = uniform(0, 1) < probability
    area = uniform(low_area, high_area) * height * width
    ratio = uniform(low_ratio, high_ratio)
    rows = (area * ratio).sqrt().round()
    columns = (area / ratio).sqrt().round()
    top = (uniform(0, 1) * (height - rows + 1)).floor()
    left = (uniform(0, 1) * (width - columns + 1)).floor()
    in_rows = _within(height, top, rows) & chosen[:, None]
    inside = in_rows[:, None, :, None] & _within(width, left, columns)[:, None, None, :]
    return images.masked_fill(inside.to(images.device), fill)


class AugmentedStream(Iterator[Batch]):
    """Mini-batches with rectangles blanked and, where wished, blended with the last.

    Args:
        batches: Where the mini-batches come from, with class indices.
        num_classes: Number of classes.
        generator: Decides all changes, a CPU generator of this stream alone.
        mixup_alpha: α of ``running_mixup``; ``None`` leaves it out.
        erases: Whether rectangles are blanked, as ``random_erasing`` does.
    """

    def __init__(
        self,
        batches: ResumableStream,
        num_classes: int,
        generator: torch.Generator,
        *,
        mixup_alpha: float | None,
        erases: bool,
    ) -> None:
        self._batches = batches
        self._num_classes = num_classes
        self._generator = generator
        self._mixup_alpha = mixup_alpha
        self._erases = erases
        self._previous: Blended | None = None

    def __next__(self) -> Batch:
        images, labels = next(self._batches)
        if self._erases:
            images = random_erasing(images, self._generator)
        if self._mixup_alpha is None:
            return images, labels
        targets = one_hot(labels, self._num_classes).to(images.dtype)
        self._previous = running_mixup(
            images,
            targets,
            self._previous,
            alpha=self._mixup_alpha,
            generator=self._generator,
        )
        return self._previous

    def state_dict(self) -> dict[str, Any]:
        """Return the stream's place, the last blend and the generator's state."""
        return {
            **self._batches.state_dict(),
            "previous": self._previous,
            "augmentation": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another stream of equal arguments stood.

        Args:
            state: What ``state_dict`` gave.
        """
        self._batches.load_state_dict(state)
        previous = state["previous"]
        self._previous = None if previous is None else tuple(previous)
        self._generator.set_state(state["augmentation"])


def _within(size: int, start: Tensor, length: Tensor) -> Tensor:
    """Say for every picture which of ``size`` positions lie in its interval."""
    position = torch.arange(size)
    start, end = start[:, None], (start + length)[:, None]
    return (position >= start) & (position < end)
