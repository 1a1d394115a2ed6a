"""Kronecker factors, the unit-wise Fisher, and their moving averages.

Notation, beside that of ``cocodesign.kfac.layers``: ``ā`` is a layer's input row
with a homogeneous coordinate if the layer has a bias; ``g = ∂(-log p(y|x))/∂s`` is
the gradient of *one example's* loss with respect to the layer's output ``s``. Then

    A = 1/N Σ_n Σ_t ā āᵀ,        G = 1/(N T) Σ_n Σ_t g gᵀ.

Autograd gives ``g / N`` when the loss is a mean over the batch; unless that factor is
taken back, G shrinks with the square of the batch and a damping means something
different at every batch size. The functions here return sums, so that several passes
before one step can be added up; ``cocodesign.kfac.blocks`` divides.

Source: Martens & Grosse (2015), arXiv:1503.05671, Section 3, for linear layers;
Grosse & Martens (2016), arXiv:1602.01407, Section 3, for convolutions, where T is
moved from G to A; labels from the data (the empirical Fisher), and the unit-wise
blocks of batch normalisation, as in Osawa et al. (2020), arXiv:2002.06015, Section 3.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def input_moment(
    rows: Float[Tensor, "batch shared features"], *, has_bias: bool
) -> Float[Tensor, "d_in d_in"]:
    """Sum the outer products of a layer's inputs.

    Args:
        rows: The inputs, from ``layers.input_rows``.
        has_bias: Whether to add the homogeneous coordinate, as the last one.

    Returns:
        ``Σ_n Σ_t ā āᵀ`` in float32 or wider.

    Example:
        >>> input_moment(torch.tensor([[[2.0]], [[3.0]]]), has_bias=True).tolist()
        [[13.0, 5.0], [5.0, 2.0]]
    """
    flat = widened(rows.flatten(0, 1))
    products = flat.T @ flat
    if not has_bias:
        return products
    # The homogeneous coordinate is never stored: its row and column are plain sums.
    num_features = flat.shape[1]
    moment = products.new_empty(num_features + 1, num_features + 1)
    moment[:-1, :-1] = products
    moment[-1, :-1] = moment[:-1, -1] = flat.sum(0)
    moment[-1, -1] = len(flat)
    return moment


def gradient_moment(
    rows: Float[Tensor, "batch shared features"],
) -> Float[Tensor, "d_out d_out"]:
    """Sum the outer products of a layer's output gradients, as autograd gives them.

    Args:
        rows: The gradients, from ``layers.gradient_rows``.

    Returns:
        ``Σ_n Σ_t g̃ g̃ᵀ`` in float32 or wider.
    """
    flat = widened(rows.flatten(0, 1))
    return flat.T @ flat


def unit_wise_moment(
    x: Float[Tensor, "batch channels ..."],
    gradient: Float[Tensor, "batch channels ..."],
    mean: Float[Tensor, " channels"],
    inverse_deviation: Float[Tensor, " channels"],
) -> Float[Tensor, "3 channels"]:
    """Sum the products of an example's gradients with respect to scale and shift.

    Args:
        x: Input of the batch normalisation.
        gradient: Gradient with respect to its output, as autograd gives it.
        mean: What the layer subtracts from each channel.
        inverse_deviation: What it multiplies each channel with.

    Returns:
        Per channel ``Σ_n γ̃²``, ``Σ_n γ̃β̃`` and ``Σ_n β̃²``, where ``γ̃`` and ``β̃`` are
        the gradients of one example, in float32 or wider.
    """
    # BatchNorm1d of plain features has no positions: the last axis then has size 1.
    x = widened(x).reshape(*x.shape[:2], -1)
    gradient = widened(gradient).reshape(*gradient.shape[:2], -1)
    shift = gradient.sum(2)
    # Σ_t g (x - mean) without a normalised copy of the input.
    scale = ((gradient * x).sum(2) - mean * shift) * inverse_deviation
    return torch.stack([scale.square(), scale * shift, shift.square()], 1).sum(0)


def widened(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Widen half precision: a second moment of many rows needs the digits.

    Args:
        values: Of any floating-point type.

    Returns:
        Float64 values as they are, all others as float32.
    """
    return values if values.dtype == torch.float64 else values.float()


def update_average_(
    average: Float[Tensor, "..."],
    value: Float[Tensor, "..."],
    *,
    ema_decay: float,
    num_updates: int,
) -> None:
    """Move an exponential average towards a new value, in place.

    The weights are those of a bias-corrected average, ``(1-ρ)/(1-ρᵏ)`` for the k-th
    value: the first value counts fully and no initial guess has to fade away. A value
    that is not finite is left out, without asking the device, so that one overflowing
    mini-batch does not spoil the statistics for ever.

    Args:
        average: The average of the earlier values; ignored at the first one.
        value: The new value.
        ema_decay: ρ in [0, 1), the weight of the old average; 0 keeps only the newest.
        num_updates: k ≥ 1, the number of values with this one.
    """
    weight = (1 - ema_decay) / (1 - ema_decay**num_updates)
    usable = torch.where(value.isfinite().all(), value, average)
    average.lerp_(usable, weight)
