"""Second-order training: K-FAC as a drop-in ``torch.optim.Optimizer``.

Every covered layer's Fisher block is approximated by a Kronecker product ``A ⊗ G``;
the gradient is multiplied by its damped inverse before momentum and learning rate::

    layers         a layer's inputs and output gradients as rows
    factors        A, G and the unit-wise Fisher, and their moving averages
    damping        how λ is spread over A and G
    inverse        the damped inverses, and what happens when one fails
    preconditioner hooks, blocks and their state
    optimizer      ``KFAC``
"""

from cocodesign.kfac.optimizer import KFAC

__all__ = ["KFAC"]
