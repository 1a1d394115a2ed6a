"""Layer-wise adaptive rates: the first-order way to large mini-batches."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer


class LARS(Optimizer):
    r"""Gradient descent with momentum and a rate of its own for every weight.

    .. math::
        V \leftarrow m V + \eta \, r \, (\nabla W + w W), \quad
        r = c \frac{\lVert W \rVert}{\lVert \nabla W \rVert + w \lVert W \rVert},
        \quad W \leftarrow W - V

    A weight moves by the share η c / (1 - m) of its norm a step, however large its
    gradient is. Biases and normalisations, parameters of one dimension, take r = 1 and
    no weight decay, as is usual; so does a weight whose norm or gradient is zero.

    Source: You et al. (2017), arXiv:1708.03888, Algorithm 1. As in there, and unlike in
    ``torch.optim.SGD``, the momentum buffer holds the learning rate.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate η ≥ 0. Parameters of one dimension take it as it is: with the
            usual c = 0.001, η is of the order of 10, too much for them without a
            warm-up; c = 0.02 brings η near that of ``torch.optim.SGD``.
        momentum: m in [0, 1).
        weight_decay: w ≥ 0.
        trust_coefficient: c > 0.

    Raises:
        ValueError: If a value is out of its range.

    Example:
        >>> weight = torch.nn.Parameter(torch.full((2, 2), 3.0))
        >>> optimizer = LARS([weight], lr=10.0, momentum=0.0)
        >>> weight.sum().backward()
        >>> optimizer.step()  # moves by 1 % of its norm
        >>> round(weight.norm().item() / 6, 4)
        0.99
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 1e-3,
    ) -> None:
        if not (lr >= 0 and weight_decay >= 0):
            raise ValueError(
                f"lr and weight_decay must be at least 0, got {lr} and {weight_decay}"
            )
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {momentum}")
        if not trust_coefficient > 0:
            raise ValueError(
                f"trust_coefficient must be positive, got {trust_coefficient}"
            )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
        }
        super().__init__(params, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move the parameters that have a gradient.

        Args:
            closure: Evaluates the model and returns the loss, as for any optimizer.

        Returns:
            What ``closure`` returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)
        return loss

    def _move(self, weight: Tensor, group: dict[str, Any]) -> None:
        gradient = weight.grad
        assert gradient is not None
        if weight.dim() > 1:
            decay = group["weight_decay"]
            norm, gradient_norm = weight.norm(), gradient.norm()
            rate = group["trust_coefficient"] * norm / (gradient_norm + decay * norm)
            rate = torch.where((norm > 0) & (gradient_norm > 0), rate, 1.0)
            gradient = gradient.add(weight, alpha=decay) * rate
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        velocity = state["momentum_buffer"]
        velocity.mul_(group["momentum"]).add_(gradient, alpha=group["lr"])
        weight.sub_(velocity)
