"""An attack that finds its own step sizes."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cocodesign.robustness.attacks import Quarry
from cocodesign.robustness.ball import Ball
from cocodesign.robustness.losses import (
    Loss,
    cross_entropy,
    difference_of_logits_ratio,
    loss_and_gradient,
)

_MOMENTUM = 0.75  # α: share of the new step
_PROGRESS = 0.75  # ρ: share of steps that must climb for the step size to stay
_FIRST_STEP = 2.0  # radii
_LOSSES: dict[str, Loss] = {"ce": cross_entropy, "dlr": difference_of_logits_ratio}


@dataclass(frozen=True)
class APGD:
    """Gradient ascent with momentum, whose steps shrink where it stops climbing.

    At checkpoints that get closer and closer, a picture's step is halved if fewer than
    three quarters of the steps since the last checkpoint raised its loss, or if neither
    its step nor its best loss has changed; then it goes on from its best point. Source:
    Croce & Hein (2020), arXiv:2003.01690, Section 3 and Algorithm 1. Different here: a
    picture that fools is not attacked again.

    Attributes:
        loss: ``"ce"``, the cross-entropy, or ``"dlr"``, the difference-of-logits ratio,
            which finds its way where large scores leave the first without a slope.
        num_steps: Gradients per restart.
        num_restarts: Random starts.
    """

    loss: Literal["ce", "dlr"] = "ce"
    num_steps: int = 100
    num_restarts: int = 1

    def __post_init__(self) -> None:
        if self.loss not in _LOSSES:
            raise ValueError(f"loss must be 'ce' or 'dlr', got {self.loss!r}")
        if self.num_steps < 1 or self.num_restarts < 1:
            raise ValueError(
                f"num_steps and num_restarts must be at least 1, got "
                f"{self.num_steps} and {self.num_restarts}"
            )

    @property
    def name(self) -> str:
        """Such as ``APGD-CE-100 x1``."""
        return f"APGD-{self.loss.upper()}-{self.num_steps} x{self.num_restarts}"

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "n ..."],
        labels: Int[Tensor, " n"],
        ball: Ball,
        generator: torch.Generator,
    ) -> Float[Tensor, "n ..."]:
        """Return a changed picture for each; see ``Attack``."""
        quarry = Quarry(images, labels)
        for _ in range(self.num_restarts):
            if len(quarry):
                _climb(
                    model, images, quarry, ball, generator, _LOSSES[self.loss],
                    _checkpoints(self.num_steps), self.num_steps,
                )  # fmt: skip
        return quarry.found


def _checkpoints(num_steps: int) -> frozenset[int]:
    """Return after which steps the step size is judged: equation 3 of the source."""
    share, previous, steps = 0.22, 0.0, []
    while share <= 1:
        steps.append(math.ceil(round(share * num_steps, 6)))
        share, previous = share + max(share - previous - 0.03, 0.06), share
    return frozenset(steps)


@dataclass
class _Climb:
    """Where every picture is on its way; all tensors have one entry a picture."""

    centres: Tensor
    here: Tensor
    before: Tensor
    gradients: Tensor
    losses: Tensor
    best: Tensor
    best_gradients: Tensor
    best_losses: Tensor
    step_sizes: Tensor
    num_rises: Tensor
    judged_losses: Tensor
    is_shrunk: Tensor

    def keep(self, standing: Tensor) -> None:
        """Drop the pictures that fool."""
        for name, values in vars(self).items():
            setattr(self, name, values[standing])

    def moved(self, ball: Ball, momentum: float) -> Tensor:
        """Return the next point: a step up the gradient, with momentum."""
        length = self.step_sizes.reshape(-1, *[1] * (self.here.dim() - 1))
        uphill = self.here + length * ball.direction(self.gradients)
        uphill = ball.project(uphill, self.centres)
        change = momentum * (uphill - self.here)
        change += (1 - momentum) * (self.here - self.before)
        return ball.project(self.here + change, self.centres)

    def arrive(self, there: Tensor, losses: Tensor, gradients: Tensor) -> None:
        """Note what the new points are worth."""
        self.num_rises += losses > self.losses
        self.before, self.here = self.here, there
        self.losses, self.gradients = losses, gradients
        better = losses > self.best_losses
        mask = better.reshape(-1, *[1] * (there.dim() - 1))
        self.best = torch.where(mask, there, self.best)
        self.best_gradients = torch.where(mask, gradients, self.best_gradients)
        self.best_losses = torch.where(better, losses, self.best_losses)

    def judge(self, num_steps: int) -> None:
        """Halve the steps of pictures that stopped climbing, back at their best."""
        stuck = self.num_rises < _PROGRESS * num_steps
        stuck |= ~self.is_shrunk & (self.judged_losses >= self.best_losses)
        mask = stuck.reshape(-1, *[1] * (self.here.dim() - 1))
        self.here = torch.where(mask, self.best, self.here)
        self.before = torch.where(mask, self.best, self.before)
        self.gradients = torch.where(mask, self.best_gradients, self.gradients)
        self.losses = torch.where(stuck, self.best_losses, self.losses)
        self.step_sizes = torch.where(stuck, self.step_sizes / 2, self.step_sizes)
        self.is_shrunk = stuck
        self.judged_losses = self.best_losses
        self.num_rises = torch.zeros_like(self.num_rises)


def _climb(
    model: nn.Module,
    images: Tensor,
    quarry: Quarry,
    ball: Ball,
    generator: torch.Generator,
    loss: Loss,
    checkpoints: frozenset[int],
    num_steps: int,
) -> None:
    centres = images[quarry.indices]
    start = ball.sample(centres, generator)
    losses, gradients, scores = loss_and_gradient(
        model, start, quarry.labels[quarry.indices], loss
    )
    climb = _Climb(
        centres=centres,
        here=start,
        before=start,
        gradients=gradients,
        losses=losses,
        best=start,
        best_gradients=gradients,
        best_losses=losses,
        step_sizes=torch.full_like(losses, _FIRST_STEP * ball.radius),
        num_rises=torch.zeros_like(losses),
        judged_losses=losses,
        is_shrunk=torch.zeros_like(losses, dtype=torch.bool),
    )
    climb.keep(quarry.keep_standing(start, scores))
    last_judged = 0
    for step in range(1, num_steps + 1):
        if not len(quarry):
            return
        there = climb.moved(ball, _MOMENTUM if step > 1 else 1.0)
        losses, gradients, scores = loss_and_gradient(
            model, there, quarry.labels[quarry.indices], loss
        )
        climb.arrive(there, losses, gradients)
        climb.keep(quarry.keep_standing(there, scores))
        if step in checkpoints:
            climb.judge(step - last_judged)
            last_judged = step
