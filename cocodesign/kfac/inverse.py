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
    factor: Float[Tensor, "d d"], damping: Float[Tensor, ""]
) -> tuple[Float[Tensor, "d d"], Bool[Tensor, ""]]:
    """Invert a damped symmetric factor by Cholesky.

    Args:
        factor: Symmetric positive semi-definite up to rounding.
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
    identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    root, info = torch.linalg.cholesky_ex(factor + damping * identity)
    # A failed root may hold zeros on its diagonal, which cholesky_inverse refuses.
    inverse = torch.cholesky_inverse(torch.where(info == 0, root, identity))
    return inverse, (info == 0) & inverse.isfinite().all()


def scaled_identity(
    factor: Float[Tensor, "d d"], damping: Float[Tensor, ""]
) -> Float[Tensor, "d d"]:
    """Return the inverse of the damped factor with its spectrum averaged.

    This stands in for an inverse that failed before there was an older one.

    Args:
        factor: Symmetric positive semi-definite.
        damping: What is added to the diagonal, > 0.

    Returns:
        ``I / (tr(factor)/d + damping)``.
    """
    identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    return identity / (factor.diagonal().mean() + damping)


def unit_wise_inverse(
    fisher: Float[Tensor, "3 channels"], damping: Float[Tensor, ""]
) -> Float[Tensor, "3 channels"]:
    """Invert the damped 2×2 block of every channel.

    Where rounding has made a block indefinite, its off-diagonal element is dropped:
    the rest is positive whatever the damping.

    Args:
        fisher: Per channel the elements (1, 1), (1, 2) and (2, 2).
        damping: λ > 0, added to both diagonal elements.

    Returns:
        The same three elements of the inverse.

    Example:
        >>> block = torch.tensor([[1.0], [1.0], [1.0]])  # singular
        >>> unit_wise_inverse(block, torch.tensor(1.0)).flatten().tolist()
        [0.6666666865348816, -0.3333333432674408, 0.6666666865348816]
    """
    scale, cross, shift = fisher[0] + damping, fisher[1], fisher[2] + damping
    # Below this the determinant is nothing but rounding error.
    noise = 4 * torch.finfo(fisher.dtype).eps * scale * shift
    cross = torch.where(scale * shift - cross.square() > noise, cross, 0.0)
    determinant = scale * shift - cross.square()
    return torch.stack([shift, -cross, scale]) / determinant
