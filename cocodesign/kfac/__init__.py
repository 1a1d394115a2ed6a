"""Second-order training: K-FAC as a drop-in ``torch.optim.Optimizer``.

Every covered layer's Fisher block is approximated by a Kronecker product ``A ⊗ G``;
the gradient is multiplied by its damped inverse before momentum and learning rate::

    layers         how each kind of layer multiplies with its weight
    factors        A, G and the unit-wise Fisher, and their moving averages
    passes         what the passes before one step add up to
    damping        how λ is spread over A and G
    inverse        the damped inverses, and what happens when one fails
    schedule       when a statistic is refreshed: ``StaleSchedule``
    statistic      one statistic: its average, its inverse, its pace
    blocks         the curvature of one layer: what it collects, keeps and applies
    uses, coverage from a model to its blocks
    sampling       what is backpropagated for the exact and the Monte-Carlo Fisher
    projection     the Fisher-orthogonal projection of two halves' gradients
    observation    the hooks on a model, and what they feed
    assignment     which rank inverts what
    distributed    tensors summed at their owners and shared from them
    division       how several ranks divide the blocks, and the messages of that
    preconditioner the blocks of a model, refreshed and applied
    descent        from directions to new weights
    estimation     the settings that hold for the whole training
    optimizer      ``KFAC``

Beside them, the programme's recipe: ``running_mixup`` and ``rescale_weights``.
"""

from cocodesign.kfac.mixup import running_mixup
from cocodesign.kfac.optimizer import KFAC
from cocodesign.kfac.rescaling import rescale_weights
from cocodesign.kfac.schedule import StaleSchedule

__all__ = ["KFAC", "StaleSchedule", "rescale_weights", "running_mixup"]
