"""How Tikhonov damping is spread over Kronecker factors.

Notation as in ``cocodesign.kfac.factors``.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def factored_damping(
    a_factor: Float[Tensor, "d_in d_in"],
    g_factor: Float[Tensor, "d_out d_out"],
    damping: Float[Tensor, ""],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
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
        a_factor: Symmetric positive semi-definite second moment of the inputs.
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
    a_scale = a_factor.diagonal().mean()
    g_scale = g_factor.diagonal().mean()
    degenerate = (a_scale <= 0) | (g_scale <= 0)
    pi = torch.where(degenerate, 1.0, (a_scale / g_scale).sqrt())
    root = damping.sqrt()
    return pi * root, root / pi
