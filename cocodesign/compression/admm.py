r"""Pruning that weights are drawn towards, before any of them goes.

The alternating direction method of multipliers splits "small loss and few weights" into
two variables that must agree, the weights ``W`` and a sparse copy ``Z``:

.. math::
    W &\leftarrow \arg\min_W\; f(W) + \tfrac{\rho}{2} \lVert W - Z + U \rVert^2 \\
    Z &\leftarrow \text{the largest entries of } W + U \\
    U &\leftarrow U + W - Z

The first is training with one more term in the gradient. When both nearly agree, what
``Z`` lacks is set to zero at little cost, and training goes on with the masks.

Source: Zhang, Ye, Zhang, Tang, Wen, Fardad & Wang (2018), "A Systematic DNN Weight
Pruning Framework using Alternating Direction Method of Multipliers", arXiv:1804.03294,
Section 3.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cocodesign.compression.pruning import choose_masks
from cocodesign.compression.sensitivity import prunable_parameters


class AlternatingPruner:
    """Draws a model's weights towards a sparse copy, then prunes to it.

    Inside any training loop::

        loss.backward()
        pruner.attract()      # adds its term to the gradients
        optimizer.step()
        pruner.step()         # a new sparse copy now and then; masks after finish()

    Args:
        model: Its matrices and kernels are pruned, its vectors are not.
        density: Share of weights kept, 0 to 1: over all layers together, or of each
            layer by name; layers that are not named stay whole.
        strength: ρ > 0, in the loss's units over a squared weight. The paper starts at
            about 1e-3 and multiplies by ten in stages: assign ``strength``.
        interval: Training steps between new sparse copies.

    Raises:
        ValueError: If the strength or the interval is not positive, or as ``prune``.

    Example:
        >>> layer = nn.Linear(4, 1, bias=False)
        >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, -3.0, 0.5, 2.0]]))
        >>> pruner = AlternatingPruner(layer, 0.5, strength=0.1)
        >>> pruner.attract()
        >>> layer.weight.grad.tolist()  # 1.0 and 0.5 are to become 0
        [[0.10000000149011612, 0.0, 0.05000000074505806, 0.0]]
    """

    def __init__(
        self,
        model: nn.Module,
        density: float | Mapping[str, float],
        *,
        strength: float = 1e-3,
        interval: int = 10,
    ) -> None:
        if strength <= 0 or interval < 1:
            raise ValueError(
                "strength must be positive and interval at least 1, got "
                f"{strength} and {interval}"
            )
        self.strength = strength
        self.masks: dict[str, Tensor] = {}
        self._density = density
        self._interval = interval
        self._num_steps = 0
        parameters = prunable_parameters(model)
        chosen = choose_masks(parameters, density, {})
        self._parameters = {name: parameters[name] for name in chosen}
        self._sparse = {
            name: parameters[name].detach() * mask for name, mask in chosen.items()
        }
        self._multipliers = {
            name: torch.zeros_like(each) for name, each in self._sparse.items()
        }

    @torch.no_grad()
    def attract(self) -> None:
        """Add ``ρ (W - Z + U)`` to the gradients; nothing after ``finish``."""
        if self.masks:
            return
        for name, weights in self._parameters.items():
            pull = weights - self._sparse[name] + self._multipliers[name]
            if weights.grad is None:
                weights.grad = pull.mul_(self.strength)
            else:
                weights.grad.add_(pull, alpha=self.strength)

    @torch.no_grad()
    def step(self) -> None:
        """Every ``interval`` steps choose ``Z`` and ``U``; after ``finish``, mask."""
        if self.masks:
            for name, mask in self.masks.items():
                self._parameters[name].mul_(mask)
            return
        self._num_steps += 1
        if self._num_steps % self._interval == 0:
            targets = {
                name: weights + self._multipliers[name]
                for name, weights in self._parameters.items()
            }
            for name, mask in choose_masks(targets, self._density, {}).items():
                self._sparse[name] = targets[name] * mask
                self._multipliers[name] = targets[name] - self._sparse[name]

    @torch.no_grad()
    def disagreement(self) -> float:
        """Return ``‖W - Z‖ / ‖W‖``: how much of the weights ``finish`` would remove."""
        apart = sum(
            float((weights - self._sparse[name]).square().sum())
            for name, weights in self._parameters.items()
        )
        total = sum(float(each.square().sum()) for each in self._parameters.values())
        return (apart / total) ** 0.5 if total else 0.0

    @torch.no_grad()
    def finish(self) -> dict[str, Tensor]:
        """Set all weights but the largest to zero, in place, and keep them there.

        Returns:
            By parameter, which weights were kept.
        """
        self.masks = choose_masks(self._parameters, self._density, {})
        self._sparse.clear()
        self._multipliers.clear()
        for name, mask in self.masks.items():
            self._parameters[name].mul_(mask)
        return self.masks
