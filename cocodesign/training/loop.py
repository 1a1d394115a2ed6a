"""The one training loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cocodesign.training.batches import BatchStream


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


def train(
    model: nn.Module,
    optimizer: Optimizer,
    batches: BatchStream,
    *,
    num_steps: int,
    schedule: LRScheduler | None = None,
    callbacks: Sequence[Callback] = (),
) -> int:
    """Minimise the cross-entropy for some steps.

    Several calls continue one another: all state is in the arguments.

    Args:
        model: Maps examples to scores; it is left in training mode.
        optimizer: Of the model's parameters.
        batches: Where the mini-batches come from.
        num_steps: The most steps to do, at least 0.
        schedule: Stepped after every step of the optimizer.
        callbacks: All are called after every step, in this order, even if an earlier
            one asks to stop.

    Returns:
        The number of steps done.

    Raises:
        ValueError: If ``num_steps`` is negative.
    """
    if num_steps < 0:
        raise ValueError(f"num_steps must be at least 0, got {num_steps}")
    model.train()
    for index in range(num_steps):
        examples, labels = next(batches)
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(examples), labels)
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        step = Step(num_steps=index + 1, loss=loss.detach())
        stops = [callback(step) for callback in callbacks]  # each sees every step
        if any(stops):
            return index + 1
    return num_steps
