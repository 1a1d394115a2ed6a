"""The patches of a picture, as views into it."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor


def num_positions(size: int, kernel_size: int, stride: int, dilation: int) -> int:
    """Return how many positions a kernel takes along one padded axis.

    Args:
        size: Length of the axis, with its padding.
        kernel_size: Length of the kernel.
        stride: Steps between positions.
        dilation: Steps between the kernel's elements.

    Returns:
        The number of positions.

    Example:
        >>> num_positions(7, kernel_size=3, stride=2, dilation=1)
        3
    """
    return (size - dilation * (kernel_size - 1) - 1) // stride + 1


def unfolded(
    picture: Float[Tensor, "batch ... channels"],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Float[Tensor, "batch ... channels"]:
    """Return all patches of a padded picture.

    Args:
        picture: Padded, contiguous, with the channels last. Axes after those that the
            kernel names are left as they are.
        kernel_size: Per axis.
        stride: Per axis.
        dilation: Per axis.

    Returns:
        A view with the axes ``batch``, positions, the axes left out, kernel positions,
        ``channels``.
    """
    num_axes = len(kernel_size)
    axes = range(num_axes)
    strides = picture.stride()
    positions = [
        num_positions(
            picture.shape[1 + axis], kernel_size[axis], stride[axis], dilation[axis]
        )
        for axis in axes
    ]
    return picture.as_strided(
        (
            len(picture),
            *positions,
            *picture.shape[1 + num_axes : -1],
            *kernel_size,
            picture.shape[-1],
        ),
        (
            strides[0],
            *(strides[1 + axis] * stride[axis] for axis in axes),
            *strides[1 + num_axes : -1],
            *(strides[1 + axis] * dilation[axis] for axis in axes),
            strides[-1],
        ),
        picture.storage_offset(),
    )
