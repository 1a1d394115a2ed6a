"""Losses that teach a network to withstand attacks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.robustness.attacks import evaluating
from cocodesign.robustness.ball import Ball

_FIRST_STEP = (
    1e-3  # of the start of TRADES: its loss has no slope at the picture itself
)


@runtime_checkable
class Defence(Protocol):
    """A training loss."""

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "n ..."],
        labels: Int[Tensor, " n"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the mini-batch's loss, to be differentiated by the parameters.

        Args:
            model: Pictures to scores.
            images: Pixels from 0 to 1.
            labels: The true classes.
            generator: Of the pictures' device.

        Returns:
            One number.
        """
        ...


@dataclass(frozen=True)
class Undefended:
    """The plain cross-entropy."""

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "n ..."],
        labels: Int[Tensor, " n"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the mini-batch's loss; see ``Defence``."""
        del generator  # there is nothing to draw
        return functional.cross_entropy(model(images), labels)


@dataclass(frozen=True)
class AdversarialTraining:
    """The cross-entropy of pictures that were attacked a moment ago.

    Source: Madry et al. (2018), arXiv:1706.06083, Section 2. With one step of 1.25
    radii it is the fast form of Wong, Rice & Kolter (2020), arXiv:2001.03994, Section
    4, Algorithm 3, at twice the price of ordinary training.

    Attributes:
        ball: What changes are allowed.
        num_steps: Gradients of the attack.
        step_size: In radii; ``None`` is 1.25 for one step, else 2.5 over their number.
    """

    ball: Ball
    num_steps: int = 1
    step_size: float | None = None

    def __post_init__(self) -> None:
        _check_steps(self.num_steps)

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "n ..."],
        labels: Int[Tensor, " n"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the mini-batch's loss; see ``Defence``."""
        start = self.ball.sample(images, generator)
        with evaluating(model):
            tried = _ascend(
                self,
                start,
                images,
                lambda pixels: functional.cross_entropy(model(pixels), labels),
            )
        return functional.cross_entropy(model(tried), labels)


@dataclass(frozen=True)
class Trades:
    r"""Accuracy on the picture, plus how far the scores move in its ball.

    .. math:: \mathrm{CE}(f(x), y) + \beta \max_{x' \in B(x)} KL(f(x) \| f(x'))

    Source: Zhang et al. (2019), arXiv:1901.08573, Section 3.4, equation 5, Algorithm 1
    (whose λ is ``1 / β``).

    Attributes:
        ball: What changes are allowed.
        beta: β ≥ 0: the weight of the second term.
        num_steps: Gradients of the search for the maximum.
        step_size: In radii; ``None`` as for ``AdversarialTraining``.
    """

    ball: Ball
    beta: float = 6.0
    num_steps: int = 10
    step_size: float | None = None

    def __post_init__(self) -> None:
        _check_steps(self.num_steps)
        if not self.beta >= 0:
            raise ValueError(f"beta must be at least 0, got {self.beta}")

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "n ..."],
        labels: Int[Tensor, " n"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the mini-batch's loss; see ``Defence``."""
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        start = self.ball.project(images + _FIRST_STEP * noise, images)
        with evaluating(model):
            target = functional.log_softmax(model(images).detach(), 1)
            tried = _ascend(
                self, start, images, lambda pixels: _divergence(target, model(pixels))
            )
        scores = model(images)
        moved = _divergence(functional.log_softmax(scores, 1), model(tried))
        return functional.cross_entropy(scores, labels) + self.beta * moved


def _ascend(
    defence: AdversarialTraining | Trades,
    start: Tensor,
    images: Tensor,
    loss: Callable[[Tensor], Tensor],
) -> Tensor:
    """Go up a mini-batch's mean loss within the ball of each picture."""
    ball = defence.ball
    length = _step_length(defence.num_steps, defence.step_size) * ball.radius
    tried = start
    for _ in range(defence.num_steps):
        pixels = tried.requires_grad_()
        # The mean's slope is tiny where pictures are many: the sum's is not.
        (gradients,) = torch.autograd.grad(loss(pixels) * len(images), pixels)
        tried = ball.project(
            pixels.detach() + length * ball.direction(gradients), images
        )
    return tried


def _divergence(target: Tensor, scores: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence from log-probabilities to scores."""
    found = functional.log_softmax(scores, 1)
    return functional.kl_div(found, target, reduction="batchmean", log_target=True)


def _step_length(num_steps: int, step_size: float | None) -> float:
    if step_size is not None:
        return step_size
    return 1.25 if num_steps == 1 else 2.5 / num_steps


def _check_steps(num_steps: int) -> None:
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
