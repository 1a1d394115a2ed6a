"""Attacks that walk up the gradient with steps of fixed size."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cocodesign.robustness.attacks import Quarry
from cocodesign.robustness.ball import Ball
from cocodesign.robustness.losses import cross_entropy, loss_and_gradient

_REACH = 2.5  # the steps together are this many radii long, unless said otherwise


@dataclass(frozen=True)
class FGSM:
    """The fast gradient sign method: one step to the ball's border.

    Source: Goodfellow, Shlens & Szegedy (2015), arXiv:1412.6572, Section 4. In an l2
    ball the step goes along the gradient instead of its sign.
    """

    @property
    def name(self) -> str:
        """``FGSM``."""
        return "FGSM"

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "n ..."],
        labels: Int[Tensor, " n"],
        ball: Ball,
        generator: torch.Generator,
    ) -> Float[Tensor, "n ..."]:
        """Return a changed picture for each; see ``Attack``."""
        del generator  # there is nothing to draw
        _, gradients, _ = loss_and_gradient(model, images, labels, cross_entropy)
        return ball.project(images + ball.radius * ball.direction(gradients), images)


@dataclass(frozen=True)
class PGD:
    """Projected gradient ascent from random starts.

    Source: Madry et al. (2018), arXiv:1706.06083, Section 2.1. Different here: a
    picture that fools is kept as soon as it is met, not only at the last step, and is
    not attacked again.

    Attributes:
        num_steps: Gradients per restart.
        num_restarts: Random starts; a later one attacks what the earlier ones left.
        step_size: Length of a step in radii; ``None`` is 2.5 over the number of steps.

    Example:
        >>> from cocodesign.robustness import Ball
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[1.0] * 4, [-1.0] * 4]))
        >>> image = torch.full((1, 1, 2, 2), 0.05)
        >>> attack, numbers = PGD(num_steps=5), torch.Generator().manual_seed(0)
        >>> fooled = attack(net, image, torch.tensor([0]), Ball("linf", 0.1), numbers)
        >>> fooled.flatten().tolist()  # black is as far as pixels go
        [0.0, 0.0, 0.0, 0.0]
    """

    num_steps: int = 40
    num_restarts: int = 1
    step_size: float | None = None

    def __post_init__(self) -> None:
        if self.num_steps < 1 or self.num_restarts < 1:
            raise ValueError(
                f"num_steps and num_restarts must be at least 1, got "
                f"{self.num_steps} and {self.num_restarts}"
            )
        if self.step_size is not None and not self.step_size > 0:
            raise ValueError(f"step_size must be positive, got {self.step_size}")

    @property
    def name(self) -> str:
        """Such as ``PGD-40 x5``."""
        return f"PGD-{self.num_steps} x{self.num_restarts}"

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
                self._restart(model, images, quarry, ball, generator)
        return quarry.found

    def _restart(
        self,
        model: nn.Module,
        images: Tensor,
        quarry: Quarry,
        ball: Ball,
        generator: torch.Generator,
    ) -> None:
        relative = _REACH / self.num_steps if self.step_size is None else self.step_size
        centres, labels = images[quarry.indices], quarry.labels[quarry.indices]
        tried = ball.sample(centres, generator)
        for _ in range(self.num_steps):
            _, gradients, scores = loss_and_gradient(
                model, tried, labels, cross_entropy
            )
            standing = quarry.keep_standing(tried, scores)
            if not len(quarry):
                return
            centres, labels = centres[standing], labels[standing]
            uphill = ball.direction(gradients[standing])
            tried = tried[standing] + relative * ball.radius * uphill
            tried = ball.project(tried, centres)
        with torch.no_grad():
            quarry.keep_standing(tried, model(tried))
