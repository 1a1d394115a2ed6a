r"""The Fisher-orthogonal projection of the difference of two halves' gradients.

Source: Lin et al. (2025), arXiv:2508.13898, Equations 3 to 5, 16 and 17. No code was
published with the paper; this follows its equations. One choice was needed: the total
gradient of Equation 17 is the mean of the halves here, not their sum, so that the step
is that of K-FAC where the halves agree, as the text says; a factor 2 would only rescale
the learning rate.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def projected_direction(
    mean: Float[Tensor, "*shape"],
    difference: Float[Tensor, "*shape"],
    curved_mean: Float[Tensor, "*shape"],
    inverted_mean: Float[Tensor, "*shape"],
    inverted_difference: Float[Tensor, "*shape"],
) -> Float[Tensor, "*shape"]:
    r"""Return a layer's direction from the gradients of two halves of a batch.

    With the mean g and the difference d of the halves' gradients, F the layer's Fisher
    block and :math:`F_\lambda^{-1}` its damped inverse,

    .. math::
        d_\perp = d - \frac{d^\top F g}{g^\top F g} g, \qquad
        \beta = \frac{g^\top F_\lambda^{-1} d_\perp}
                     {d_\perp^\top F_\lambda^{-1} d_\perp}, \qquad
        c = g + \beta d_\perp, \qquad
        \eta = \frac{g^\top F_\lambda^{-1} c}{c^\top F_\lambda^{-1} c}.

    Args:
        mean: g.
        difference: d.
        curved_mean: ``F g``.
        inverted_mean: ``F_λ⁻¹ g``.
        inverted_difference: ``F_λ⁻¹ d``.

    Returns:
        ``η F_λ⁻¹ c``; η lies between ½ and 1.
    """
    share = _ratio(difference, curved_mean, mean, curved_mean)
    orthogonal = difference - share * mean
    inverted_orthogonal = inverted_difference - share * inverted_mean
    beta = _ratio(mean, inverted_orthogonal, orthogonal, inverted_orthogonal)
    combined = mean + beta * orthogonal
    inverted = inverted_mean + beta * inverted_orthogonal
    return _ratio(mean, inverted, combined, inverted) * inverted


def _ratio(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Return ``aᵀb / cᵀd``, and 0 where the denominator vanishes.

    Only gradients that are zero make it vanish; the paper adds ε instead, which means
    something different at every scale of the loss.
    """
    denominator = torch.sum(c * d)
    ratio = torch.sum(a * b) / denominator
    return torch.where(denominator > 0, ratio, 0.0)
