"""How Tikhonov damping is spread over Kronecker factors.

Notation as in ``cocodesign.kfac.factors``. A factor is a matrix, a matrix for each
group of a convolution, or the diagonal of one as a vector.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def factored_damping(
    a_factor: Float[Tensor, "*a_shape"],
    g_factor: Float[Tensor, "*g_shape"],
    damping: Float[Tensor, "*groups"],
) -> tuple[Float[Tensor, "*groups"], Float[Tensor, "*groups"]]:
    r"""Split the damping of ``A ⊗ G + λI`` into one for each factor.

    Inverting the sum exactly needs the eigenvectors of both factors. The product
    of two damped factors can be inverted one by one:

    .. math::
        A_\lambda = A + \pi \sqrt{\lambda} I, \qquad
        G_\lambda = G + \pi^{-1} \sqrt{\lambda} I, \qquad
        \pi^2 = \frac{\operatorname{tr}(A) / d_\text{in}}
                     {\operatorname{tr}(G) / d_\text{out}}.

    Source: Martens & Grosse (2015), arXiv:1503.05671, Section 6.3, with the trace
    norm. Added here: π is 1 where a trace is zero, since a layer whose gradients
    vanish on a whole mini-batch must not stop the training.

    Args:
        a_factor: Symmetric positive semi-definite second moment of the inputs, of the
            shape ``*groups d_in d_in``, or its diagonal ``d_in``.
        g_factor: Symmetric positive semi-definite second moment of the gradients.
        damping: λ > 0, in the units of ``A ⊗ G``.

    Returns:
        ``π √λ`` and ``√λ / π``, still on the device of the factors.

    Example:
        >>> a, g = 4 * torch.eye(2), torch.eye(3)  # π = 2
        >>> [x.item() for x in factored_damping(a, g, torch.tensor(1.0))]
        [2.0, 0.5]
    """
    # The means of the diagonals stay tensors: a Python branch on them would make
    # the host wait for the device once per layer and step.
    a_scale, g_scale = mean_eigenvalue(a_factor), mean_eigenvalue(g_factor)
    degenerate = (a_scale <= 0) | (g_scale <= 0)
    pi = torch.where(degenerate, 1.0, (a_scale / g_scale).sqrt())
    root = damping.sqrt()
    return pi * root, root / pi


def mean_eigenvalue(factor: Float[Tensor, "*shape"]) -> Float[Tensor, "*groups"]:
    """Return ``tr(X) / d`` for each group.

    Args:
        factor: Of the shape ``*groups d d``, or a diagonal ``d``.

    Returns:
        The mean of the diagonal.
    """
    diagonal = factor if factor.ndim == 1 else factor.diagonal(dim1=-2, dim2=-1)
    return diagonal.mean(-1)
