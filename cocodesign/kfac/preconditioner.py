"""The blocks of a model, and the hooks that feed them."""

import weakref
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from cocodesign.kfac import layers
from cocodesign.kfac.blocks import (
    CurvatureBlock,
    KroneckerBlock,
    State,
    UnitWiseBlock,
)


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


def _remove(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
