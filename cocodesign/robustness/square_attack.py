"""An attack that never looks at a gradient."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cocodesign.robustness.attacks import Quarry
from cocodesign.robustness.ball import Ball
from cocodesign.robustness.losses import margin

# The share of pixels that a square covers is halved at these shares of the queries.
_HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_TINY = 1e-12


@dataclass(frozen=True)
class Square:
    """Random squares, each kept where it brings the network closer to an error.

    It needs scores only, so that a network whose gradients are merely hidden does not
    withstand it. Source: Andriushchenko et al. (2020), arXiv:1912.00049, Sections 3.2
    and 3.3, Algorithms 2 and 3. Different here: every picture has its own square in
    every step, and in an l2 ball a new square's strength is taken from one other window
    without the tile-wise start of the source: the start is noise on a grid.

    Attributes:
        num_queries: Evaluations of every picture.
        first_share: Share of the pixels that the first squares cover.
    """

    num_queries: int = 1000
    first_share: float = 0.8

    def __post_init__(self) -> None:
        if self.num_queries < 1:
            raise ValueError(f"num_queries must be at least 1, got {self.num_queries}")
        if not 0 < self.first_share <= 1:
            raise ValueError(f"first_share must be in (0, 1], got {self.first_share}")

    @property
    def name(self) -> str:
        """Such as ``Square-1000``."""
        return f"Square-{self.num_queries}"

    @torch.no_grad()
    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "n channels height width"],
        labels: Int[Tensor, " n"],
        ball: Ball,
        generator: torch.Generator,
    ) -> Float[Tensor, "n channels height width"]:
        """Return a changed picture for each; see ``Attack``."""
        quarry = Quarry(images, labels)
        centres = images
        here = _start(images, ball, generator)
        scores = model(here)
        margins = margin(scores, labels)
        standing = quarry.keep_standing(here, scores)
        centres, here, margins = centres[standing], here[standing], margins[standing]
        for query in range(1, self.num_queries):
            if not len(quarry):
                break
            side = self._side(query, images)
            tried = _propose(here, centres, side, ball, generator)
            scores = model(tried)
            found = margin(scores, quarry.labels[quarry.indices])
            closer = found > margins
            margins = torch.where(closer, found, margins)
            here = torch.where(closer[:, None, None, None], tried, here)
            standing = margins < 0
            quarry.found[quarry.indices] = here
            quarry.indices = quarry.indices[standing]
            centres, here = centres[standing], here[standing]
            margins = margins[standing]
        return quarry.found

    def _side(self, query: int, images: Tensor) -> int:
        done = query / self.num_queries
        share = self.first_share / 2 ** sum(done > mark for mark in _HALVINGS)
        height, width = images.shape[-2:]
        side = round((share * height * width) ** 0.5)
        return max(1, min(side, height - 1, width - 1))


def _start(images: Tensor, ball: Ball, generator: torch.Generator) -> Tensor:
    """Change all columns by a random sign (l∞), or a coarse grid of squares (l2)."""
    n, channels, height, width = images.shape
    if ball.norm == "linf":
        signs = _signs((n, channels, 1, width), images, generator)
        return ball.project(images + ball.radius * signs, images)
    coarse = _signs((n, channels, 5, 5), images, generator)
    rows = torch.arange(height, device=images.device) * 5 // height
    columns = torch.arange(width, device=images.device) * 5 // width
    change = coarse[:, :, rows][:, :, :, columns]
    length = torch.linalg.vector_norm(change.flatten(1), dim=1).reshape(-1, 1, 1, 1)
    return ball.project(images + ball.radius * change / length, images)


def _propose(
    here: Tensor, centres: Tensor, side: int, ball: Ball, generator: torch.Generator
) -> Tensor:
    window = _windows(here, side, generator)
    signs = _signs((*here.shape[:2], 1, 1), here, generator)
    if ball.norm == "linf":
        square = ball.project(centres + ball.radius * signs, centres)
        return torch.where(window, square, here)
    # Strength moves from another window into the new one, and what is unused is used.
    change = here - centres
    elsewhere = _windows(here, side, generator)
    both = (window | elsewhere).expand_as(change)
    free = ball.radius**2 - change.square().sum((1, 2, 3), keepdim=True)
    budget = (change * both).square().sum((1, 2, 3), keepdim=True) + free.clamp(min=0)
    inside = change * window
    old = inside / inside.square().sum((1, 2, 3), keepdim=True).sqrt().clamp(min=_TINY)
    new = old + signs * window / side
    new = new / new.square().sum((1, 2, 3), keepdim=True).sqrt().clamp(min=_TINY)
    change = torch.where(both, 0.0, change) + new * budget.sqrt()
    return ball.project(centres + change, centres)


def _windows(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Return a mask of one square per picture, at a random place."""
    n, _, height, width = images.shape
    options = {"generator": generator, "device": images.device}
    top = torch.randint(0, height - side + 1, (n, 1, 1, 1), **options)
    left = torch.randint(0, width - side + 1, (n, 1, 1, 1), **options)
    rows = torch.arange(height, device=images.device).reshape(1, 1, -1, 1)
    columns = torch.arange(width, device=images.device)
    inside_rows = (rows >= top) & (rows < top + side)
    return inside_rows & (columns >= left) & (columns < left + side)


def _signs(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    coins = torch.randint(0, 2, shape, generator=generator, device=like.device)
    return (2 * coins - 1).to(like.dtype)
