"""The curvature block of one layer.

A block is a description of a layer plus the sums of the passes since the last step.
All that outlives a step stands in the optimizer's own ``state``, under the layer's
weight, so that ``state_dict`` and ``load_state_dict`` carry it without further code:
a Kronecker block keeps ``a_factor``, ``g_factor``, ``a_inverse``, ``g_inverse`` and
``escalation``, a unit-wise block ``fisher`` and ``fisher_inverse``; both keep
``num_updates``.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.kfac import factors, layers
from cocodesign.kfac.damping import factored_damping
from cocodesign.kfac.inverse import (
    damped_inverse,
    scaled_identity,
    unit_wise_inverse,
)

# How much more damping a layer gets after each inverse that failed. The factor stays
# for the rest of the training: a layer that needed it once would fail again.
_ESCALATION = 10.0

State = dict[str, Any]  # as torch.optim.Optimizer types its state
Directions = Iterator[tuple[Tensor, Tensor]]


class KroneckerBlock:
    """The block ``A ⊗ G`` of a linear layer or a convolution.

    Args:
        module: The layer; its weight is trainable. A frozen bias, or none, leaves the
            homogeneous coordinate out.
    """

    def __init__(self, module: layers.KroneckerLayer) -> None:
        self.module = module
        bias = module.bias
        self._bias = bias if bias is not None and bias.requires_grad else None
        self.forget()

    @property
    def parameters(self) -> list[Tensor]:
        """The weight, and the bias if it is trained."""
        weight = self.module.weight
        return [weight] if self._bias is None else [weight, self._bias]

    def collect(
        self, x: Float[Tensor, "batch ..."], gradient: Float[Tensor, "batch ..."]
    ) -> None:
        """Add the second moments of one pass."""
        a_rows = layers.input_rows(self.module, x)
        g_rows = layers.gradient_rows(self.module, gradient)
        a_sum = factors.input_moment(a_rows, has_bias=self._bias is not None)
        g_sum = factors.gradient_moment(g_rows) / g_rows.shape[1]
        self._a_sum = a_sum if self._a_sum is None else self._a_sum.add_(a_sum)
        self._g_sum = g_sum if self._g_sum is None else self._g_sum.add_(g_sum)
        self._num_examples += len(a_rows)

    def forget(self) -> None:
        """Drop the passes that were added."""
        self._a_sum: Tensor | None = None
        self._g_sum: Tensor | None = None
        self._num_examples = 0

    def refresh_factors(
        self, state: State, *, ema_decay: float, loss_divisor: int
    ) -> None:
        """Move A and G towards the passes that were added."""
        if self._a_sum is None or self._g_sum is None:
            return  # the layer took no part in this step
        a_factor = self._a_sum / self._num_examples
        g_factor = self._g_sum * (loss_divisor**2 / self._num_examples)
        _update(state, "a_factor", a_factor, ema_decay)
        _update(state, "g_factor", g_factor, ema_decay)
        state["num_updates"] += 1

    def refresh_inverse(self, state: State, damping: float) -> Tensor | None:
        """Invert A and G; where that fails keep the old pair and damp more from now."""
        if "a_factor" not in state:
            return None
        a_factor, g_factor = state["a_factor"], state["g_factor"]
        if "escalation" not in state:
            state["escalation"] = a_factor.new_ones(())
        a_damping, g_damping = factored_damping(
            a_factor, g_factor, damping * state["escalation"]
        )
        if "a_inverse" not in state:
            state["a_inverse"] = scaled_identity(a_factor, a_damping)
            state["g_inverse"] = scaled_identity(g_factor, g_damping)
        a_inverse, a_usable = damped_inverse(a_factor, a_damping)
        g_inverse, g_usable = damped_inverse(g_factor, g_damping)
        usable = a_usable & g_usable
        state["a_inverse"] = torch.where(usable, a_inverse, state["a_inverse"])
        state["g_inverse"] = torch.where(usable, g_inverse, state["g_inverse"])
        state["escalation"] *= torch.where(usable, 1.0, _ESCALATION)
        return ~usable

    def precondition(self, state: State) -> Directions:
        """Yield ``G⁻¹ (∇W | ∇b) A⁻¹``, taken apart into weight and bias."""
        weight = self.module.weight
        if weight.grad is None or "a_inverse" not in state:
            return
        gradient = layers.as_matrix(weight.grad)
        if self._bias is not None:
            column = self._bias.grad
            if column is None:
                column = weight.new_zeros(len(weight))
            gradient = torch.cat([gradient, column[:, None]], 1)
        a_inverse, g_inverse = state["a_inverse"], state["g_inverse"]
        direction = g_inverse @ gradient.to(g_inverse.dtype) @ a_inverse
        direction = direction.to(weight.dtype)
        if self._bias is not None:
            if self._bias.grad is not None:
                yield self._bias, direction[:, -1]
            direction = direction[:, :-1]
        yield weight, layers.like_weight(direction, weight)


class UnitWiseBlock:
    """The 2×2 blocks of a batch normalisation, one per channel.

    Args:
        module: The layer; its scale and shift are trainable.
    """

    def __init__(self, module: layers.UnitWiseLayer) -> None:
        self.module = module
        self.forget()

    @property
    def parameters(self) -> list[Tensor]:
        """The scale and the shift."""
        return [self.module.weight, self.module.bias]

    def collect(
        self, x: Float[Tensor, "batch ..."], gradient: Float[Tensor, "batch ..."]
    ) -> None:
        """Add the second moments of one pass."""
        mean, inverse_deviation = self._normalisation(x)
        moment = factors.unit_wise_moment(x, gradient, mean, inverse_deviation)
        self._sum = moment if self._sum is None else self._sum.add_(moment)
        self._num_examples += len(x)

    def forget(self) -> None:
        """Drop the passes that were added."""
        self._sum: Tensor | None = None
        self._num_examples = 0

    def refresh_factors(
        self, state: State, *, ema_decay: float, loss_divisor: int
    ) -> None:
        """Move the Fisher of every channel towards the passes that were added."""
        if self._sum is None:
            return
        fisher = self._sum * (loss_divisor**2 / self._num_examples)
        _update(state, "fisher", fisher, ema_decay)
        state["num_updates"] += 1

    def refresh_inverse(self, state: State, damping: float) -> Tensor | None:
        """Invert the Fisher of every channel, which cannot fail."""
        if "fisher" in state:
            added = torch.full_like(state["fisher"][0, 0], damping)
            state["fisher_inverse"] = unit_wise_inverse(state["fisher"], added)
        return None

    def precondition(self, state: State) -> Directions:
        """Yield both gradients, mixed within each channel."""
        scale, shift = self.parameters
        if scale.grad is None or shift.grad is None or "fisher_inverse" not in state:
            return
        first, cross, second = state["fisher_inverse"].to(scale.dtype)
        yield scale, first * scale.grad + cross * shift.grad
        yield shift, cross * scale.grad + second * shift.grad

    def _normalisation(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the layer subtracted and multiplied with in this pass."""
        module = self.module
        if module.training or module.running_mean is None or module.running_var is None:
            # With the channels last these rows are a view, and the fastest to reduce.
            rows = factors.widened(x).movedim(1, -1).flatten(0, -2)
            variance, mean = torch.var_mean(rows, 0, correction=0)
        else:
            mean, variance = module.running_mean, module.running_var
        return mean, (variance + module.eps).rsqrt()


CurvatureBlock = KroneckerBlock | UnitWiseBlock


def _update(state: State, name: str, value: Tensor, ema_decay: float) -> None:
    state.setdefault("num_updates", 0)
    if name not in state:
        state[name] = torch.zeros_like(value)
    factors.update_average_(
        state[name], value, ema_decay=ema_decay, num_updates=state["num_updates"] + 1
    )
