"""Hooks on a model, and the curvature block of every covered layer.

A block is a description of a layer plus the sums of the passes since the last step.
All that outlives a step stands in the optimizer's own ``state``, under the layer's
weight, so that ``state_dict`` and ``load_state_dict`` carry it without further code:
a Kronecker block keeps ``a_factor``, ``g_factor``, ``a_inverse``, ``g_inverse``,
a unit-wise block ``fisher`` and ``fisher_inverse``; both keep ``num_updates``.
"""

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

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


class Preconditioner:
    """The blocks of a model and the hooks that feed them.

    Attributes:
        collecting: Whether backward passes feed the blocks. Off, a hook costs one
            comparison. Passes in evaluation mode or without gradients never count.
        blocks: One block per covered layer, in the model's order.

    Args:
        model: The model; parameters that are frozen now stay uncovered.
        num_factor_examples: How many examples of a pass are looked at, from the first
            on; ``None`` means all.
    """

    def __init__(self, model: nn.Module, num_factor_examples: int | None) -> None:
        self.collecting = True
        self.blocks = _find_blocks(model)
        self._model = model
        self._num_factor_examples = num_factor_examples
        self._num_passed: dict[CurvatureBlock, int] = Counter()
        handles = [
            block.module.register_forward_hook(
                partial(_watch_output, weakref.ref(self), block), with_kwargs=True
            )
            for block in self.blocks
        ]
        # The hooks go with the optimizer: the next one may train the same model.
        weakref.finalize(self, _remove, handles)

    def watch(self, block: CurvatureBlock, x: Tensor, output: Tensor) -> None:
        """Have the gradient of a layer's output collected, if this pass counts.

        A hook on the output tensor, unlike one on the module, survives an in-place
        activation behind the layer: autograd calls it for the value before the change.

        Args:
            block: The layer's block.
            x: The layer's input.
            output: Its output.
        """
        if self.collecting and self._model.training and output.requires_grad:
            x = x.detach()  # of the values only: autograd keeps them anyway
            output.register_hook(lambda gradient: self._collect(block, x, gradient))

    def forget(self) -> None:
        """Drop what was collected since the last step."""
        self._num_passed.clear()
        for block in self.blocks:
            block.forget()

    def refresh(
        self,
        states: MutableMapping[Tensor, State],
        dampings: Mapping[Tensor, float],
        *,
        ema_decay: float,
        mean_loss: bool,
    ) -> Tensor | None:
        """Move the factors of all layers towards what was collected and invert them.

        Args:
            states: The optimizer's state by parameter; changed in place.
            dampings: λ by trained parameter. A block takes that of its first one, and
                is passed over if that is not trained.
            ema_decay: Weight of the old averages, in [0, 1).
            mean_loss: Whether the loss was a mean over the examples, not their sum.

        Returns:
            Whether any inverse failed, as a tensor on the model's device; ``None``
            where nothing can fail.
        """
        failures: list[Tensor] = []
        for block in self.blocks:
            first = block.parameters[0]
            if first in dampings:
                state = states[first]
                block.refresh_factors(
                    state,
                    ema_decay=ema_decay,
                    loss_divisor=self._num_passed[block] if mean_loss else 1,
                )
                failed = block.refresh_inverse(state, dampings[first])
                failures += [] if failed is None else [failed]
        self.forget()
        return torch.stack(failures).any() if failures else None

    def directions(self, states: Mapping[Tensor, State]) -> dict[Tensor, Tensor]:
        """Return the preconditioned gradient of every parameter that has one.

        Args:
            states: The optimizer's state by parameter.

        Returns:
            New tensors, of the parameters' shapes.
        """
        return {
            parameter: direction
            for block in self.blocks
            if block.parameters[0] in states
            for parameter, direction in block.precondition(states[block.parameters[0]])
        }

    def uncovered_names(self) -> list[str]:
        """Name the trainable parameters that no block covers.

        Returns:
            Their names in the model, in its order.
        """
        covered = {parameter for block in self.blocks for parameter in block.parameters}
        return [
            name
            for name, parameter in self._model.named_parameters()
            if parameter.requires_grad and parameter not in covered
        ]

    @torch.no_grad()
    def _collect(self, block: CurvatureBlock, x: Tensor, gradient: Tensor) -> None:
        self._num_passed[block] += len(x)
        some = slice(self._num_factor_examples)
        block.collect(x[some], gradient[some])


def _find_blocks(model: nn.Module) -> list[CurvatureBlock]:
    blocks: list[CurvatureBlock] = []
    for module in _untied_modules(model):
        if layers.is_kronecker_layer(module) and module.weight.requires_grad:
            blocks.append(KroneckerBlock(module))
        elif layers.is_unit_wise_layer(module) and (
            module.weight.requires_grad and module.bias.requires_grad
        ):
            blocks.append(UnitWiseBlock(module))
    return blocks


def _untied_modules(model: nn.Module) -> Iterable[nn.Module]:
    """Leave out modules whose own parameters also belong to another module."""
    uses = Counter(
        parameter
        for module in model.modules()
        for parameter in module.parameters(recurse=False)
    )
    for module in model.modules():
        if all(uses[parameter] == 1 for parameter in module.parameters(recurse=False)):
            yield module


def _watch_output(
    owner: "weakref.ref[Preconditioner]",
    block: CurvatureBlock,
    _module: nn.Module,
    positional: tuple[Any, ...],
    named: dict[str, Any],
    output: Tensor,
) -> None:
    preconditioner = owner()
    if preconditioner is not None:
        x = positional[0] if positional else named["input"]
        preconditioner.watch(block, x, output)


def _update(state: State, name: str, value: Tensor, ema_decay: float) -> None:
    state.setdefault("num_updates", 0)
    if name not in state:
        state[name] = torch.zeros_like(value)
    factors.update_average_(
        state[name], value, ema_decay=ema_decay, num_updates=state["num_updates"] + 1
    )


def _remove(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
