"""Signs that a network hides its gradients instead of being robust.

A network can look robust because attacks lose their way in it. Athalye, Carlini &
Wagner (2018), arXiv:1802.00420, Section 3.1, and Carlini et al. (2019),
arXiv:1902.06705, Section 5, name what betrays it: an attack without gradients does
better than one with them, more steps do worse, and a large enough change does not fool
every picture.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cocodesign.robustness.attacks import evaluating
from cocodesign.robustness.ball import Ball
from cocodesign.robustness.evaluation import attack_all
from cocodesign.robustness.gradient_attacks import PGD
from cocodesign.robustness.losses import cross_entropy, loss_and_gradient
from cocodesign.robustness.square_attack import Square
from cocodesign.seeding import random_stream

_SLACK = 0.01  # accuracy: attacks are drawn by chance
_UNBOUNDED = 0.5  # radius in l∞ at which every picture can be made grey


@dataclass(frozen=True)
class MaskingReport:
    """Robust accuracies that must stand in a certain order.

    Attributes:
        white_box: Under gradient attacks.
        black_box: Under an attack that sees scores only.
        by_steps: Under gradient attacks of more and more steps.
        unbounded: Under changes so large that every picture can be made grey.
    """

    white_box: float
    black_box: float
    by_steps: dict[int, float]
    unbounded: float

    @property
    def suspicions(self) -> tuple[str, ...]:
        """What speaks for hidden gradients, one sentence each; empty is good."""
        found = []
        if self.black_box < self.white_box - _SLACK:
            found.append(
                f"without gradients the accuracy falls to {self.black_box:.1%}, with "
                f"them only to {self.white_box:.1%}"
            )
        steps = sorted(self.by_steps)
        for fewer, more in itertools.pairwise(steps):
            if self.by_steps[more] > self.by_steps[fewer] + _SLACK:
                found.append(
                    f"{more} steps leave {self.by_steps[more]:.1%}, {fewer} steps "
                    f"only {self.by_steps[fewer]:.1%}"
                )
        if self.unbounded > _SLACK:
            found.append(
                f"{self.unbounded:.1%} withstand changes that may turn any picture grey"
            )
        return tuple(found)


def check_masking(
    model: nn.Module,
    images: Float[Tensor, "n channels height width"],
    labels: Int[Tensor, " n"],
    ball: Ball,
    *,
    steps: Sequence[int] = (10, 40, 100),
    num_queries: int = 1000,
    seed: int = 0,
) -> MaskingReport:
    """Look for signs of hidden gradients.

    Args:
        model: Pictures to scores.
        images: Pixels from 0 to 1.
        labels: The true classes.
        ball: What changes are allowed, in l∞.
        steps: Of the gradient attacks; the largest is the white-box attack.
        num_queries: Of the attack without gradients.
        seed: Of all random numbers.

    Returns:
        The accuracies, and what they say.

    Raises:
        ValueError: If the ball is not of l∞.
    """
    if ball.norm != "linf":
        raise ValueError(f"the checks are made for l∞, got {ball.norm!r}")
    by_steps = {
        number: attack_all(
            model, images, labels, [PGD(number)], ball, seed=seed
        ).robust_accuracy
        for number in sorted(steps)
    }
    black_box = attack_all(
        model, images, labels, [Square(num_queries)], ball, seed=seed
    )
    wide = Ball("linf", _UNBOUNDED)
    unbounded = attack_all(model, images, labels, [PGD(max(steps))], wide, seed=seed)
    return MaskingReport(
        white_box=by_steps[max(steps)],
        black_box=black_box.robust_accuracy,
        by_steps=by_steps,
        unbounded=unbounded.robust_accuracy,
    )


@torch.no_grad()
def loss_surface(
    model: nn.Module,
    image: Float[Tensor, "..."],
    label: int,
    ball: Ball,
    *,
    num_points: int = 21,
    seed: int = 0,
) -> Float[Tensor, "num_points num_points"]:
    """Return the loss around a picture, along its gradient and a random direction.

    A robust network's surface is smooth; where gradients are hidden it is flat around
    the picture and rough farther away.

    Args:
        model: Pictures to scores.
        image: One picture, pixels from 0 to 1.
        label: Its class.
        ball: Its radius is how far the surface reaches.
        num_points: Along each direction, from minus to plus the radius.
        seed: Of the random direction.

    Returns:
        Cross-entropies; rows go along the gradient's direction. Pixels are not cut to 0
        to 1 here, which would put edges into the surface.
    """
    labels = torch.full((num_points,), label, device=image.device)
    with evaluating(model):
        _, gradient, _ = loss_and_gradient(
            model, image[None], labels[:1], cross_entropy
        )
        generator = random_stream(seed, "surface", image.device)
        noise = torch.randn(image[None].shape, generator=generator, device=image.device)
        reach = torch.linspace(
            -ball.radius, ball.radius, num_points, device=image.device
        )
        reach = reach.reshape(-1, *[1] * image.dim())
        along, across = ball.direction(gradient), ball.direction(noise)
        rows = [
            cross_entropy(model(image[None] + step * along + reach * across), labels)
            for step in reach
        ]
    return torch.stack(rows)
