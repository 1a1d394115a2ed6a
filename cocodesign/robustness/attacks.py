"""What all attacks have in common: they look for a picture that fools, in a ball."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cocodesign.robustness.ball import Ball
from cocodesign.robustness.losses import margin


@runtime_checkable
class Attack(Protocol):
    """Looks for pictures that a network takes for another class."""

    @property
    def name(self) -> str:
        """What reports call it, its strength included."""
        ...

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "n ..."],
        labels: Int[Tensor, " n"],
        ball: Ball,
        generator: torch.Generator,
    ) -> Float[Tensor, "n ..."]:
        """Return a changed picture for each, inside its ball.

        Args:
            model: Pictures to scores.
            images: Pixels from 0 to 1.
            labels: The true classes.
            ball: What changes are allowed.
            generator: Of the pictures' device: the same numbers give the same attack.

        Returns:
            A picture that fools the network wherever one was met; elsewhere the last
            one tried.
        """
        ...


class Quarry:
    """The pictures under attack: those that fool already are left in peace.

    Every picture is attacked on its own, so what is still attacked may be a subset;
    ``indices`` says which.

    Args:
        images: Where the attack begins.
        labels: The true classes.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.found = images.clone()
        self.labels = labels
        self.indices = torch.arange(len(images), device=images.device)

    def __len__(self) -> int:
        return len(self.indices)

    def keep_standing(self, images: Tensor, scores: Tensor) -> Tensor:
        """Store what was tried, and drop the pictures that the network now gets wrong.

        Args:
            images: What was tried, one for each of ``indices``.
            scores: The network's scores of them.

        Returns:
            Which of them are still to be attacked, as a mask over the old ``indices``.
        """
        standing = margin(scores, self.labels[self.indices]) < 0
        self.found[self.indices] = images
        self.indices = self.indices[standing]
        return standing


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for a while.

    Args:
        model: Any.

    Yields:
        Nothing. The modes of all its modules come back.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
