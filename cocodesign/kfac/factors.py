r"""Second moments, and how the passes of a step become one.

Notation: ``N`` is the number of examples and ``T`` the number of positions that share a
layer's weights; ``ā`` is an input row, with a homogeneous coordinate if the layer has a
bias; ``g = ∂(-log p(y|x))/∂s`` is the gradient of *one example's* loss with respect to
the layer's output ``s``. For a layer without weight sharing

    A = 1/N Σ_n ā āᵀ,        G = 1/N Σ_n g gᵀ.

Autograd gives ``g / N`` when the loss is a mean over the batch; unless that factor is
taken back, G shrinks with the square of the batch and a damping means something
different at every batch size.

With weight sharing the gradient of an example is a sum over positions, and there are
two ways to a Kronecker product:

* *expand* takes the positions for independent,
  ``A = 1/N Σ_n Σ_t ā āᵀ`` and ``G = 1/(N T) Σ_n Σ_t g gᵀ``;
* *reduce* takes the input for the same at all of them,
  ``A = 1/N Σ_n (1/T Σ_t ā)(1/T Σ_t ā)ᵀ`` and ``G = 1/N Σ_n (Σ_t g)(Σ_t g)ᵀ``.

Several uses of one weight in one pass are more positions; several passes before one
step are more examples.

Source: Martens & Grosse (2015), arXiv:1503.05671, Section 3; expand is Grosse & Martens
(2016), arXiv:1602.01407, Section 3, with T moved from G to A; both settings in
Eschenhagen et al. (2023), arXiv:2311.00636, Section 3; the unit-wise blocks of
normalisations as in Osawa et al. (2020), arXiv:2002.06015, Section 3.
"""

import torch
from jaxtyping import Float
from torch import Tensor

# PyTorch has no product of a matrix with itself. Halving it saves a quarter of the
# multiplications each time; below this size the pieces are too small to be fast
# (`python -m benchmarks.kfac_input_moment`).
_MIN_HALVED = 256


def second_moment(
    rows: Float[Tensor, "*groups rows features"], *, has_bias: bool = False
) -> Float[Tensor, "*groups d d"]:
    """Sum the outer products of rows.

    Args:
        rows: Of inputs or gradients.
        has_bias: Whether to add a homogeneous coordinate, as the last one.

    Returns:
        ``Σ ā āᵀ`` for each group, in float32 or wider.

    Example:
        >>> second_moment(torch.tensor([[2.0], [3.0]]), has_bias=True).tolist()
        [[13.0, 5.0], [5.0, 2.0]]
    """
    rows = widened(rows)
    products = _gram(rows)
    if not has_bias:
        return products
    return bordered(products, rows.sum(-2), rows.shape[-2])


def _gram(
    rows: Float[Tensor, "*groups rows features"],
) -> Float[Tensor, "*groups features features"]:
    """Return ``rowsᵀ rows`` without computing all of both of its halves."""
    size = rows.shape[-1]
    if size < _MIN_HALVED:
        return rows.mT @ rows
    first, second = rows[..., : size // 2], rows[..., size // 2 :]
    mixed = first.mT @ second
    upper = torch.cat([_gram(first), mixed], -1)
    return torch.cat([upper, torch.cat([mixed.mT, _gram(second)], -1)], -2)


def bordered(
    products: Float[Tensor, "*groups features features"],
    sums: Float[Tensor, "*groups features"],
    num_rows: int,
) -> Float[Tensor, "*groups d d"]:
    """Add the homogeneous coordinate to a second moment.

    Args:
        products: The sum of outer products of rows without it.
        sums: The sum of these rows.
        num_rows: How many they are.

    Returns:
        The second moment of the rows with a one at their end.
    """
    size = products.shape[-1] + 1
    moment = products.new_empty(*products.shape[:-2], size, size)
    moment[..., :-1, :-1] = products
    moment[..., -1, :-1] = moment[..., :-1, -1] = sums
    moment[..., -1, -1] = num_rows
    return moment


def unit_wise_moment(
    gradients: Float[Tensor, "part batch features"],
) -> Float[Tensor, "pair features"]:
    """Sum the products of an example's gradients that belong to one feature.

    Args:
        gradients: Of scale and shift, or of one of the two.

    Returns:
        Per feature the sums over examples of all products: three for two parts, in the
        order (1, 1), (1, 2), (2, 2); one for one.
    """
    if len(gradients) == 1:
        return gradients.square().sum(1)
    scale, shift = gradients
    return torch.stack([scale.square(), scale * shift, shift.square()]).sum(1)


def widened(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Widen half precision: a second moment of many rows needs the digits.

    Args:
        values: Of any floating-point type.

    Returns:
        Float64 values as they are, all others as float32.
    """
    return values if values.dtype == torch.float64 else values.float()


def averaged(
    average: Float[Tensor, "..."] | None,
    value: Float[Tensor, "..."],
    *,
    ema_decay: float,
    num_updates: int,
) -> Float[Tensor, "..."]:
    """Return an exponential average moved towards a new value.

    The weights are those of a bias-corrected average, ``(1-ρ)/(1-ρᵏ)`` for the k-th
    value: the first value counts fully and no initial guess has to fade away. A value
    that is not finite is left out, without asking the device, so that one overflowing
    mini-batch does not spoil the statistics for ever.

    Args:
        average: The average of the earlier values, ``None`` at the first one.
        value: The new value.
        ema_decay: ρ in [0, 1), the weight of the old average; 0 keeps only the newest.
        num_updates: k ≥ 1, the number of values with this one.

    Returns:
        A new tensor; zeros if no value was finite yet.
    """
    if average is None:
        average = torch.zeros_like(value)
    weight = (1 - ema_decay) / (1 - ema_decay**num_updates)
    return average.lerp(torch.where(value.isfinite().all(), value, average), weight)
