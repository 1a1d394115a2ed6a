"""Weights kept at a norm, as batch normalisation makes their length meaningless."""

import torch
from torch import Tensor, nn

_WEIGHTS_WITHOUT_SCALE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@torch.no_grad()
def rescale_weights(model: nn.Module, *, only_shrink: bool = True) -> None:
    r"""Bring the weights of linear layers and convolutions to a norm, in place.

    .. math::
        W \leftarrow W \frac{\sqrt{2 d_\text{out}}}{\lVert W \rVert + 10^{-9}}

    Behind a batch normalisation the scale of W changes nothing but the effective
    learning rate, which falls as the norm grows; it replaces weight decay. Biases and
    normalisations stay as they are. No step makes the host wait for the device.

    Source: Osawa et al. (2020), arXiv:2002.06015 (always); the programme's released
    code leaves shorter weights alone, which is the default here.

    Args:
        model: The network; call it after every step of the optimizer.
        only_shrink: Whether weights below the norm stay as they are.

    Example:
        >>> layer = nn.Linear(4, 2)
        >>> rescale_weights(layer, only_shrink=False)
        >>> round(layer.weight.norm().item(), 5)
        2.0
    """
    weights = [
        module.weight
        for module in model.modules()
        if isinstance(module, _WEIGHTS_WITHOUT_SCALE) and module.weight.requires_grad
    ]
    for weight in dict.fromkeys(weights):  # a tied weight once
        weight.mul_(_factor(weight, only_shrink=only_shrink))


def _factor(weight: Tensor, *, only_shrink: bool) -> Tensor:
    factor = (2 * len(weight)) ** 0.5 / (weight.norm() + 1e-9)
    return factor.clamp(max=1.0) if only_shrink else factor
