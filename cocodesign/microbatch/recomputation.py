"""Blocks that drop what they saved and compute it again in the backward pass."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class RecomputedForward:
    """The ``forward`` of a block that is computed twice.

    Random numbers are the same both times. Batch normalisation's running statistics
    move only the first time, so that training is what it was.

    Args:
        block: The module, whose inputs are tensors by position.
    """

    def __init__(self, block: nn.Module) -> None:
        self._block = block

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the block's output.

        Args:
            *inputs: The block's inputs.

        Returns:
            The output.
        """
        forward = type(self._block).forward
        if not torch.is_grad_enabled():
            return forward(self._block, *inputs)
        return checkpoint(
            forward,
            self._block,
            *inputs,
            use_reentrant=False,
            context_fn=self._contexts,
        )

    def _contexts(
        self,
    ) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _held_statistics(self._block)


@contextmanager
def _held_statistics(block: nn.Module) -> Iterator[None]:
    """Keep batch normalisation from counting a mini-batch a second time."""
    norms = [
        module
        for module in block.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.track_running_stats
    ]
    momenta = [norm.momentum for norm in norms]
    counters = [
        norm.num_batches_tracked
        for norm in norms
        if norm.num_batches_tracked is not None
    ]
    counts = [counter.clone() for counter in counters]
    for norm in norms:
        norm.momentum = 0.0  # the running averages are then multiplied by one
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for counter, count in zip(counters, counts, strict=True):
            counter.copy_(count)
