"""How far a picture may be changed: a ball around it, cut by the range of pixels."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Norm = Literal["linf", "l2"]

_TINY = 1e-12


@dataclass(frozen=True)
class Ball:
    """All pictures within a distance of a given one, with pixels from 0 to 1.

    Attributes:
        norm: ``"linf"`` bounds every pixel's change, ``"l2"`` the root of the sum of
            their squares.
        radius: ε, positive, in units of a pixel.

    Example:
        >>> ball = Ball("linf", 0.1)
        >>> black, grey = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.5)
        >>> round(ball.project(grey, black).item(), 3)
        0.1
    """

    norm: Norm
    radius: float

    def __post_init__(self) -> None:
        if self.norm not in ("linf", "l2"):
            raise ValueError(f"norm must be 'linf' or 'l2', got {self.norm!r}")
        if not 0 < self.radius < float("inf"):
            raise ValueError(f"radius must be positive and finite, got {self.radius}")

    def project(
        self, images: Float[Tensor, "n ..."], centres: Float[Tensor, "n ..."]
    ) -> Float[Tensor, "n ..."]:
        """Move pictures into the balls around their centres.

        Args:
            images: Any pictures.
            centres: Where the balls are, pixels from 0 to 1.

        Returns:
            The nearest points of the ball, then cut to 0 to 1, which brings a picture
            no farther from its centre.
        """
        change = images - centres
        if self.norm == "linf":
            change = change.clamp(-self.radius, self.radius)
        else:
            change = change * (self.radius / _lengths(change)).clamp(max=1)
        return (centres + change).clamp(0, 1)

    def direction(self, gradients: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Return the change of norm 1 along which a linear function rises fastest.

        Args:
            gradients: Of the function, one for each picture.

        Returns:
            Signs for ``"linf"``, normalised gradients for ``"l2"``.
        """
        if self.norm == "linf":
            return gradients.sign()
        return gradients / _lengths(gradients)

    def sample(
        self, centres: Float[Tensor, "n ..."], generator: torch.Generator
    ) -> Float[Tensor, "n ..."]:
        """Draw pictures from the balls, evenly before they are cut to 0 to 1.

        Args:
            centres: Where the balls are.
            generator: Of the pictures' device.

        Returns:
            A picture for each centre.
        """
        options = {"generator": generator, "device": centres.device}
        if self.norm == "linf":
            change = (2 * torch.rand(centres.shape, **options) - 1) * self.radius
        else:
            direction = torch.randn(centres.shape, **options)
            num_pixels = centres[0].numel()
            reach = torch.rand(len(centres), **options) ** (1 / num_pixels)
            change = direction / _lengths(direction) * self.radius
            change = change * reach.reshape(-1, *[1] * (centres.dim() - 1))
        return (centres + change).clamp(0, 1)

    def distance(
        self, images: Float[Tensor, "n ..."], centres: Float[Tensor, "n ..."]
    ) -> Float[Tensor, " n"]:
        """Return how far pictures are from their centres, by the ball's norm.

        Args:
            images: Any pictures.
            centres: As many.

        Returns:
            One distance each.
        """
        change = (images - centres).flatten(1)
        order = float("inf") if self.norm == "linf" else 2
        return torch.linalg.vector_norm(change, ord=order, dim=1)


def _lengths(change: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
    lengths = torch.linalg.vector_norm(change.flatten(1), dim=1).clamp(min=_TINY)
    return lengths.reshape(-1, *[1] * (change.dim() - 1))
