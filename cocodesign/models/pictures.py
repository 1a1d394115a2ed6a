"""Frames as networks want them."""

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional

Frame = UInt8[Tensor, "height width 3"]


def resize(
    frame: Frame, height: int, width: int, *, smooth: bool = True
) -> UInt8[Tensor, "1 3 h w"]:
    """Resize a frame by linear interpolation.

    Args:
        frame: Red, green and blue from 0 to 255.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
        smooth: Whether details that are too fine for the result are averaged. A
            network that was trained without it recognises a little more without it.

    Returns:
        A batch of one, the channels first; it shares memory with a frame that has the
        size already.
    """
    picture = frame.permute(2, 0, 1)[None]
    if picture.shape[2:] == (height, width):
        return picture
    return functional.interpolate(
        picture, (height, width), mode="bilinear", antialias=smooth
    )


def middle_square(
    frame: Frame, size_px: int, *, smooth: bool = True
) -> UInt8[Tensor, "1 3 size size"]:
    """Resize until the shorter side has a size, and keep the middle of the longer.

    Args:
        frame: Red, green and blue from 0 to 255.
        size_px: Height and width of the result.
        smooth: See ``resize``.

    Returns:
        A batch of one, the channels first.
    """
    height, width = frame.shape[:2]
    scale = size_px / min(height, width)
    resized = resize(
        frame,
        max(size_px, round(height * scale)),
        max(size_px, round(width * scale)),
        smooth=smooth,
    )
    top, left = (resized.shape[2] - size_px) // 2, (resized.shape[3] - size_px) // 2
    return resized[..., top : top + size_px, left : left + size_px]


def standardise(
    pictures: UInt8[Tensor, "batch 3 height width"],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
) -> Tensor:
    """Return ``(pixel - mean) / std``, channel by channel.

    Args:
        pictures: Pixels from 0 to 255.
        mean: What is subtracted, in units of a pixel.
        std: What it is divided by.

    Returns:
        A new float32 tensor, contiguous.
    """
    scale = torch.tensor(std).reciprocal()[:, None, None]
    shift = -torch.tensor(mean)[:, None, None] * scale
    return torch.addcmul(shift, pictures.contiguous().float(), scale)
