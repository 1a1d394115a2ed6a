"""Damped inverses, and what happens when one cannot be computed.

Precision: inverses are computed in the precision of the factors, float32 unless the
model is float64. The damping bounds the condition number; where it is too small for
that, Cholesky fails and the caller keeps its old inverse and damps more next time.
Nothing here makes the host wait for the device.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def damped_inverse(
    factor: Float[Tensor, "*shape"], damping: Float[Tensor, "*groups"]
) -> tuple[Float[Tensor, "*shape"], Bool[Tensor, "*groups"]]:
    """Invert a damped symmetric factor by Cholesky.

    Args:
        factor: Symmetric positive semi-definite up to rounding, ``*groups d d``; or a
            diagonal ``d``.
        damping: What is added to the diagonal, > 0.

    Returns:
        ``(factor + damping I)⁻¹`` and whether it can be used. It cannot if the damped
        factor was not positive definite or the inverse overflowed; the first value
        then is meaningless.

    Example:
        >>> inverse, usable = damped_inverse(torch.eye(2), torch.tensor(3.0))
        >>> inverse.diagonal().tolist(), usable.item()
        ([0.25, 0.25], True)
    """
    if factor.ndim == 1:
        inverse = (factor + damping).reciprocal()
        return inverse, (inverse.isfinite() & (inverse > 0)).all()
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    damped = factor + damping[..., None, None] * identity
    root, info = torch.linalg.cholesky_ex(damped)
    is_definite = info == 0
    # A failed root may hold zeros on its diagonal, which cholesky_inverse refuses.
    root = torch.where(is_definite[..., None, None], root, identity)
    inverse = torch.cholesky_inverse(root)
    return inverse, is_definite & inverse.isfinite().all(-1).all(-1)


def scaled_identity(
    factor: Float[Tensor, "*shape"], damping: Float[Tensor, "*groups"]
) -> Float[Tensor, "*shape"]:
    """Return the inverse of the damped factor with its spectrum averaged.

    This stands in for an inverse that failed before there was an older one.

    Args:
        factor: Symmetric positive semi-definite, ``*groups d d``; or a diagonal ``d``.
        damping: What is added to the diagonal, > 0.

    Returns:
        ``I / (tr(factor)/d + damping)``.
    """
    if factor.ndim == 1:
        return (factor.mean() + damping).reciprocal().expand_as(factor)
    scale = factor.diagonal(dim1=-2, dim2=-1).mean(-1) + damping
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    return identity / scale[..., None, None]


def unit_wise_inverse(
    fisher: Float[Tensor, "pair features"], damping: Float[Tensor, ""]
) -> Float[Tensor, "pair features"]:
    """Invert the damped 2×2 block of every feature, or its single element.

    Where rounding has made a block indefinite, its off-diagonal element is dropped:
    the rest is positive whatever the damping.

    Args:
        fisher: Per feature the elements (1, 1), (1, 2) and (2, 2); or one element
            where only the scale, or only the shift, is trained.
        damping: λ > 0, added to the diagonal elements.

    Returns:
        The same elements of the inverse.

    Example:
        >>> block = torch.tensor([[1.0], [1.0], [1.0]])  # singular
        >>> unit_wise_inverse(block, torch.tensor(1.0)).flatten().tolist()
        [0.6666666865348816, -0.3333333432674408, 0.6666666865348816]
    """
    if len(fisher) == 1:
        return (fisher + damping).reciprocal()
    scale, cross, shift = fisher[0] + damping, fisher[1], fisher[2] + damping
    # Below this the determinant is nothing but rounding error.
    noise = 4 * torch.finfo(fisher.dtype).eps * scale * shift
    cross = torch.where(scale * shift - cross.square() > noise, cross, 0.0)
    determinant = scale * shift - cross.square()
    return torch.stack([shift, -cross, scale]) / determinant
