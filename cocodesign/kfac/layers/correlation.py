"""The second moment of a convolution's patches, without the patches.

Two elements ``u`` and ``u'`` of a kernel see the same picture shifted by ``u' - u``. So
along an axis of stride 1 the moment of all pairs needs one correlation per *shift*, not
one product per *pair*, minus the columns at the border that one of the two does not
see. This is used along the last axis; the others are unfolded. For a 3×3 kernel that is
a third of the multiplications and a third of the memory of the whole patches.

Source of the identity: Grosse & Martens (2016), arXiv:1602.01407, Section 3, note that
Ω is a function of the difference alone where the statistics are homogeneous; the border
terms make it exact for every picture. The derivation is ours.
"""

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from cocodesign.kfac import factors
from cocodesign.kfac.layers.patches import num_positions, unfolded

# Measured by `python -m benchmarks.kfac_input_moment`: below these the border and the
# launches cost more than the products that are saved.
_MIN_CHANNELS = 16
_MIN_POSITIONS_PER_KERNEL = 2


def is_faster(
    picture_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> bool:
    """Tell whether the correlations cost less than the patches.

    The rule is a function of the shape, not of a clock: the two ways agree to rounding
    only, and a training that is resumed must take the same one again.

    Args:
        picture_shape: ``batch``, padded sizes, ``channels``.
        kernel_size: Per axis.
        stride: Per axis.
        dilation: Per axis.

    Returns:
        True if ``correlated_moment`` can be used and is the faster way.
    """
    positions = num_positions(
        picture_shape[-2], kernel_size[-1], stride[-1], dilation[-1]
    )
    return (
        stride[-1] == 1
        and kernel_size[-1] > 1
        and picture_shape[-1] * math.prod(kernel_size[:-1]) >= _MIN_CHANNELS
        and positions
        >= _MIN_POSITIONS_PER_KERNEL * dilation[-1] * (kernel_size[-1] - 1)
    )


def correlated_moment(
    picture: Float[Tensor, "batch ... channels"],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    *,
    has_bias: bool,
) -> Float[Tensor, "d_in d_in"]:
    """Sum the outer products of all patches.

    Args:
        picture: Padded, contiguous, with the channels last.
        kernel_size: Per axis.
        stride: Per axis; 1 along the last.
        dilation: Per axis.
        has_bias: Whether a homogeneous coordinate follows.

    Returns:
        ``Σ ā āᵀ`` over examples and positions, features ordered as patches.
    """
    picture = factors.widened(picture)
    lines = unfolded(picture, kernel_size[:-1], stride[:-1], dilation[:-1])
    # -> line, place on it, kernel positions of the other axes and channels
    num_axes = len(kernel_size) - 1
    lines = lines.flatten(0, num_axes).flatten(2)
    size, step = kernel_size[-1], dilation[-1]
    width = lines.shape[1]
    num_places = width - step * (size - 1)
    num_features = lines.shape[-1]
    moment = lines.new_empty(size, num_features, size, num_features)
    for distance in range(size):
        shift = distance * step
        whole = _paired(lines, 0, width - shift, shift)
        for left in range(size - distance):
            start = left * step
            seen = whole - _paired(lines, 0, start, shift)
            seen -= _paired(lines, start + num_places, width - shift, shift)
            moment[left, :, left + distance] = seen
            moment[left + distance, :, left] = seen.T
    # The kernel's last axis moves behind its others, before the channels.
    channels = picture.shape[-1]
    inner = num_features // channels
    moment = moment.unflatten(3, (inner, channels)).unflatten(1, (inner, channels))
    d_in = size * num_features
    moment = moment.permute(1, 0, 2, 4, 3, 5).reshape(d_in, d_in)
    if not has_bias:
        return moment
    sums = lines.new_empty(inner, size, channels)
    for left in range(size):
        window = lines[:, left * step : left * step + num_places]
        sums[:, left] = window.sum((0, 1)).view(inner, channels)
    return factors.bordered(moment, sums.flatten(), len(lines) * num_places)


def _paired(
    lines: Float[Tensor, "line place features"], start: int, end: int, shift: int
) -> Float[Tensor, "features features"]:
    """Correlate the places from ``start`` to ``end`` with those ``shift`` behind."""
    here = lines[:, start:end].flatten(0, 1)
    there = lines[:, start + shift : end + shift].flatten(0, 1)
    return factors.second_moment(here) if shift == 0 else here.T @ there
