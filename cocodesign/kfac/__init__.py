"""Second-order training: K-FAC as a drop-in ``torch.optim.Optimizer``.

Every covered layer's Fisher block is approximated by a Kronecker product ``A ⊗ G``;
the gradient is multiplied by its damped inverse before momentum and learning rate::

    layers         a layer's inputs and output gradients as rows
    factors        A, G and the unit-wise Fisher, and their moving averages
    damping        how λ is spread over A and G
    inverse        the damped inverses, and what happens when one fails
    blocks         the curvature of one layer: what it collects, keeps and applies
    preconditioner the blocks of a model, and the hooks that feed them
    optimizer      ``KFAC``
"""

from cocodesign.kfac.optimizer import KFAC

__all__ = ["KFAC"]
