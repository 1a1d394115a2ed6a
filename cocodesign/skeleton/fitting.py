"""Training a Fine-to-Coarse network: one recipe for every data set."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from cocodesign.seeding import random_stream
from cocodesign.skeleton.augmentation import Augmentation
from cocodesign.skeleton.layouts import JointLayout


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    The defaults are for data sets of hundreds to thousands of clips, of any layout.

    Attributes:
        num_epochs: Passes over the clips, at least 1.
        mini_batch_size: About how many clips a step takes, at least 2; the batches of
            an epoch differ by at most one clip.
        learning_rate: Of AdamW, after the warm-up.
        weight_decay: Of AdamW.
        label_smoothing: Fraction of a label that is spread over all classes.
        warmup_fraction: Part of the steps in which the learning rate rises linearly;
            afterwards it falls to 0 as half a cosine.
        augmentation: What is done to the clips at random.
    """

    num_epochs: int = 60
    mini_batch_size: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    warmup_fraction: float = 0.1
    augmentation: Augmentation = field(default=Augmentation())

    def __post_init__(self) -> None:
        if self.num_epochs < 1 or self.mini_batch_size < 2:
            raise ValueError(
                "num_epochs must be at least 1 and mini_batch_size at least 2, got "
                f"{self.num_epochs} and {self.mini_batch_size}"
            )


def fit(
    network: nn.Module,
    clips: Float[Tensor, "N 4 T V M"],
    labels: Int[Tensor, " N"],
    layout: JointLayout,
    recipe: Recipe,
    *,
    seed: int,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Train to the last epoch; nothing is chosen on the way.

    On a CPU the result is a function of the initial weights and the seed, but for
    dropout, which draws from torch's global generator.

    Args:
        network: From clips to scores. It is left in evaluation mode.
        clips: As ``prepare_all`` gives them, on the network's device.
        labels: Their classes.
        layout: Of the clips.
        recipe: How to train.
        seed: Of the order and the augmentation.
        report: Is told every epoch's number, from 1, and its mean loss.

    Raises:
        ValueError: If there are fewer than two clips, or not as many labels.
    """
    if len(clips) < 2 or len(clips) != len(labels):
        raise ValueError(
            f"cannot train on {len(clips)} clips with {len(labels)} labels"
        )
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,  # dozens of small tensors: one call instead of hundreds
    )
    # Two clips at least, since batch normalisation of one tells nothing of the others.
    num_batches = min(
        max(1, round(len(clips) / recipe.mini_batch_size)), len(clips) // 2
    )
    schedule = _cosine(optimizer, recipe, recipe.num_epochs * num_batches)
    order_stream = random_stream(seed, "order")
    augmentation_stream = random_stream(seed, "augmentation")
    network.train()
    for epoch in range(1, recipe.num_epochs + 1):
        order = torch.randperm(len(clips), generator=order_stream).to(clips.device)
        total = torch.zeros((), device=clips.device)
        for chosen in order.tensor_split(num_batches):
            changed = recipe.augmentation(clips[chosen], layout, augmentation_stream)
            loss = functional.cross_entropy(
                network(changed), labels[chosen], label_smoothing=recipe.label_smoothing
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        if report is not None:
            report(epoch, total.item() / num_batches)
    network.eval()


def _cosine(
    optimizer: torch.optim.Optimizer, recipe: Recipe, num_steps: int
) -> LambdaLR:
    num_warmup = max(1, round(recipe.warmup_fraction * num_steps))

    def factor(step: int) -> float:
        if step < num_warmup:
            return (step + 1) / num_warmup
        done = (step - num_warmup) / max(1, num_steps - num_warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    return LambdaLR(optimizer, factor)
