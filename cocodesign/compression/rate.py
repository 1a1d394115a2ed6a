r"""Bits as a part of the training loss.

Quantized with step ``Δ``, a weight ``w`` costs about ``r(w/Δ)`` bits, where ``r``
joins the symbols' costs by straight lines:

.. math::
    r(k) = -\log_2 \frac{n_k}{n} + [k > 0], \qquad
    L = L_\text{task} + \lambda \sum_i r(|w_i| / \Delta)

with ``n_k`` the number of weights whose nearest magnitude is ``k`` now. So a weight is
pulled towards cheaper symbols, most of all towards zero, by the slope between the two
that it lies between. The idea of a rate in the loss is that of Oktay, Ballé, Singh &
Shrivastava (2020), arXiv:1906.06624, Section 2. Different here: the probabilities are
counted rather than learned, a line between symbols takes the place of noise, and costs
never fall with the magnitude.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cocodesign.compression.sensitivity import prunable_parameters

_UNSEEN_COUNT = 0.5  # so that a symbol nobody uses yet is dear, not impossible


class CodingRate:
    """Estimates the bits of a model's matrices and kernels, with gradients.

    ::

        rate = CodingRate(model, {"fc.weight": 0.01})
        loss = cross_entropy(model(images), labels) + price * rate.bits()
        loss.backward()

    The counts are those of the weights at the last ``refresh``: call it every some
    steps. Prune what reached zero with ``quantize`` at the same steps.

    Args:
        model: The model in training.
        step_sizes: Δ > 0 by parameter; those not named cost nothing.

    Raises:
        ValueError: If a name is unknown or a step is not positive.

    Example:
        >>> layer = nn.Linear(4, 1, bias=False)
        >>> _ = layer.weight.data.copy_(torch.tensor([[0.0, 0.0, 0.0, 0.75]]))
        >>> rate = CodingRate(layer, {"weight": 1.0})  # three times 0, once 1
        >>> rate.bits().backward()
        >>> bool(layer.weight.grad[0, 3] > 0)  # smaller would be cheaper
        True
    """

    def __init__(self, model: nn.Module, step_sizes: Mapping[str, float]) -> None:
        parameters = prunable_parameters(model)
        if unknown := sorted(set(step_sizes) - set(parameters)):
            raise ValueError(
                f"no matrices named {unknown}, there are {sorted(parameters)}"
            )
        for name, step in step_sizes.items():
            if step <= 0:
                raise ValueError(f"the step of {name} must be positive, got {step}")
        self._step_sizes = dict(step_sizes)
        self._parameters = {name: parameters[name] for name in step_sizes}
        self._costs: dict[str, Tensor] = {}
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """Count the symbols that the weights are nearest to now."""
        for name, weights in self._parameters.items():
            nearest = (weights.abs() / self._step_sizes[name]).round().long()
            counts = nearest.flatten().bincount(minlength=2).double() + _UNSEEN_COUNT
            costs = -(counts / counts.sum()).log2()
            costs[1:] += 1  # the sign
            # A rarer small symbol must not push weights outwards.
            self._costs[name] = costs.cummax(0).values.float()

    def bits(self) -> Float[Tensor, ""]:
        """Return the estimate for all named tensors; its gradient reaches the weights.

        A weight beyond the largest symbol that was counted costs as much as that.
        """
        return torch.stack(
            [
                _interpolate(self._costs[name], weights.abs() / self._step_sizes[name])
                for name, weights in self._parameters.items()
            ]
        ).sum()


def _interpolate(costs: Tensor, position: Tensor) -> Float[Tensor, ""]:
    """Sum costs between symbols; zero, where most weights are, is counted apart."""
    alive = position[position > 0]
    num_zeros = position.numel() - alive.numel()
    below = alive.detach().long().clamp(max=len(costs) - 2)
    share = (alive - below).clamp(max=1.0)
    between = torch.lerp(costs[below], costs[below + 1], share)
    return between.sum() + num_zeros * costs[0]
