"""Peers' optimizers behind the interface of ``torch.optim.Optimizer``."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from cocodesign.training.batches import Batch


class Together(Optimizer):
    """Several optimizers of different parameters that a schedule sees as one."""

    def __init__(self, *optimizers: Optimizer) -> None:
        groups = [group for each in optimizers for group in each.param_groups]
        super().__init__([each for group in groups for each in group["params"]], {})
        self.param_groups = groups  # the very dictionaries that they read
        self._optimizers = optimizers

    def step(self, closure: None = None) -> None:
        """Let every optimizer step."""
        assert closure is None
        for optimizer in self._optimizers:
            optimizer.step()

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 (torch)
        """Reset the gradients of every optimizer."""
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none)


class FlattenedMuon(torch.optim.Muon):
    """Muon, which takes matrices only, on convolutions with their kernels flattened.

    Args:
        weights: Weights of two dimensions, or of four in the format channels last.
        lr: Learning rate.
        momentum: Momentum.
    """

    def __init__(
        self, weights: Sequence[Tensor], *, lr: float, momentum: float
    ) -> None:
        self._weights = list(weights)
        views = [nn.Parameter(_as_matrix(weight.detach())) for weight in weights]
        super().__init__(views, lr=lr, momentum=momentum, weight_decay=0.0)

    def step(self, closure: None = None) -> None:
        """Step on the matrices, which share the weights' memory."""
        assert closure is None
        views = self.param_groups[0]["params"]
        for weight, view in zip(self._weights, views, strict=True):
            assert weight.grad is not None
            view.grad = _as_matrix(weight.grad)
        super().step()

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 (torch)
        """Reset the gradients of the weights and of their views."""
        super().zero_grad(set_to_none)
        for weight in self._weights:
            weight.grad = None


class GradientMakerSGD(torch.optim.SGD):
    """SGD on the gradients of one of ASDL's gradient makers, which run the model."""

    def __init__(
        self, model: nn.Module, maker: Any, *, lr: float, momentum: float
    ) -> None:
        super().__init__(model.parameters(), lr=lr, momentum=momentum)
        self.maker = maker


def backward_of_gradient_maker(
    model: nn.Module, optimizer: Optimizer, batch: Batch, share: float
) -> Tensor:
    """Run forward and backward as ASDL does it, with the preconditioning in it.

    Returns:
        The loss; not a number where its Cholesky factorisation failed, which ends the
        training as if it had diverged.
    """
    assert isinstance(optimizer, GradientMakerSGD)
    assert share == 1
    examples, labels = batch
    optimizer.maker.config.data_size = len(examples)  # what it averages over
    scores = optimizer.maker.setup_model_call(model, examples)
    optimizer.maker.setup_loss_call(functional.cross_entropy, scores, labels)
    try:
        _, loss = optimizer.maker.forward_and_backward()
    except torch.linalg.LinAlgError:
        return torch.tensor(float("nan"))
    return loss.detach()


class PreconditionedSGD(torch.optim.SGD):
    """SGD behind a preconditioner that changes the gradients in place."""

    def __init__(self, params: Sequence[Tensor], *, lr: float, momentum: float) -> None:
        super().__init__(params, lr=lr, momentum=momentum)
        self.preconditioner: Any = None

    def step(self, closure: None = None) -> None:
        """Precondition, then step."""
        assert closure is None
        self.preconditioner.step()
        super().step()


def _as_matrix(weight: Tensor) -> Tensor:
    if weight.dim() == 2:
        return weight
    flat = weight.permute(0, 2, 3, 1).flatten(1)
    assert flat.data_ptr() == weight.data_ptr(), "the weight is not channels last"
    return flat
