"""The one training loop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cocodesign.training.batches import Batch


@dataclass(frozen=True)
class Step:
    """What a callback learns of a step.

    Attributes:
        num_steps: Steps done in this call of ``train``, this one included.
        loss: The mini-batch's loss before the step, still on the device: reading it
            makes the host wait.
    """

    num_steps: int
    loss: Float[Tensor, ""]


# Looks on after every step; tells, by returning True, to end the training after it.
Callback = Callable[[Step], bool]

# Adds a mini-batch's share of a step's gradient to the parameters' gradients and
# returns its share of the loss: model, optimizer, mini-batch, share.
Backward = Callable[[nn.Module, Optimizer, Batch, float], Float[Tensor, ""]]


def backpropagate(
    model: nn.Module, _optimizer: Optimizer, batch: Batch, share: float
) -> Float[Tensor, ""]:
    """Backpropagate the mean cross-entropy of a mini-batch.

    Args:
        model: Maps examples to scores.
        batch: Examples with a class index or a distribution over the classes each.
        share: The loss is multiplied by it: 1 over the passes of a step.

    Returns:
        The multiplied loss, without its graph.
    """
    examples, labels = batch
    loss = share * functional.cross_entropy(model(examples), labels)
    loss.backward()
    return loss.detach()


def train(
    model: nn.Module,
    optimizer: Optimizer,
    batches: Iterator[Batch],
    *,
    num_steps: int,
    num_passes: int = 1,
    schedule: LRScheduler | None = None,
    backward: Backward = backpropagate,
    callbacks: Sequence[Callback] = (),
) -> int:
    """Minimise the cross-entropy for some steps.

    Several calls continue one another: all state is in the arguments.

    Args:
        model: Maps examples to scores; it is left in training mode.
        optimizer: Of the model's parameters.
        batches: Where the mini-batches come from.
        num_steps: The most steps to do, at least 0.
        num_passes: How many mini-batches, of one size, a step takes its gradient from;
            several make the step of a larger mini-batch out of what the memory holds.
            Batch normalisation still sees each by itself.
        schedule: Stepped after every step of the optimizer.
        backward: What computes the gradient, for optimizers that want to do it
            themselves.
        callbacks: All are called after every step, in this order, even if an earlier
            one asks to stop.

    Returns:
        The number of steps done.

    Raises:
        ValueError: If ``num_steps`` or ``num_passes`` is out of its range.
    """
    if num_steps < 0:
        raise ValueError(f"num_steps must be at least 0, got {num_steps}")
    if num_passes < 1:
        raise ValueError(f"num_passes must be at least 1, got {num_passes}")
    model.train()
    for index in range(num_steps):
        optimizer.zero_grad()
        shares = [
            backward(model, optimizer, next(batches), 1 / num_passes)
            for _ in range(num_passes)
        ]
        optimizer.step()
        if schedule is not None:
            schedule.step()
        step = Step(num_steps=index + 1, loss=torch.stack(shares).sum())
        stops = [callback(step) for callback in callbacks]  # each sees every step
        if any(stops):
            return index + 1
    return num_steps
