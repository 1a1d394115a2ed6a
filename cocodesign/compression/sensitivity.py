r"""How much the loss minds a change of each weight.

The diagonal of the empirical Fisher information, ``F = E[g²]``, predicts the loss's
rise by ``½ F δ²`` (LeCun, Denker & Solla 1990, "Optimal Brain Damage"); here ``g`` is
the gradient of a mini-batch, whose square is smaller by the mini-batch's size. For a
matrix it is kept as the means of its rows and of its columns, whose product over the
total mean is the best non-negative rank-one fit in the Kullback-Leibler sense (Shazeer
& Stern 2018, arXiv:1804.04235, Section 3): a thousandth of the memory, and less noise
than single entries, since a dead neuron's whole row counts as one.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

_FLOOR = 1e-3  # of the mean: what no example has touched yet is cheap, not free


class Sensitivity:
    """Collects squared gradients of a model's matrices and kernels.

    Args:
        model: Its parameters of two and more axes are watched.
        decay: Weight of the old means when new ones come, 0 to 1.

    Raises:
        ValueError: If the decay is out of range.
    """

    def __init__(self, model: nn.Module, *, decay: float = 0.95) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be in [0, 1), got {decay}")
        self._parameters = prunable_parameters(model)
        self._decay = decay
        self._rows: dict[str, Tensor] = {}
        self._columns: dict[str, Tensor] = {}

    @torch.no_grad()
    def observe(self) -> None:
        """Take in the gradients that are there now: call it after ``backward``."""
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            squared = parameter.grad.flatten(1).float().square()
            rows, columns = squared.mean(1), squared.mean(0)
            if name in self._rows:
                self._rows[name].lerp_(rows, 1 - self._decay)
                self._columns[name].lerp_(columns, 1 - self._decay)
            else:
                self._rows[name], self._columns[name] = rows, columns

    def importance(self) -> dict[str, Float[Tensor, "..."]]:
        """Return the estimate of each entry of ``F``, by parameter.

        Raises:
            RuntimeError: If nothing was observed yet.
        """
        if not self._rows:
            raise RuntimeError("no gradients yet: call observe() after backward()")
        found = {}
        for name, rows in self._rows.items():
            columns = self._columns[name]
            mean = rows.mean().clamp(min=torch.finfo(torch.float32).tiny)
            outer = torch.outer(rows / mean + _FLOOR, columns + _FLOOR * mean)
            found[name] = outer.reshape(self._parameters[name].shape)
        return found


def prunable_parameters(model: nn.Module) -> Mapping[str, nn.Parameter]:
    """Return a model's matrices and kernels: parameters of two and more axes."""
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.dim() >= 2 and parameter.is_floating_point()
    }
