"""What is left of an accuracy when somebody attacks."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cocodesign.robustness.attacks import Attack, evaluating
from cocodesign.robustness.ball import Ball
from cocodesign.seeding import random_stream

_BATCH_SIZE = 250


@dataclass(frozen=True)
class Robustness:
    """How a network fared, picture by picture.

    Attributes:
        is_right: Whether each picture is classified rightly as it is.
        withstands: By attack, in the order they came: whether each picture is still
            classified rightly after this attack and all before it.
        images: The changed pictures; those that nothing fools as last tried.
    """

    is_right: Bool[Tensor, " n"]
    withstands: dict[str, Bool[Tensor, " n"]]
    images: Float[Tensor, "n ..."]

    @property
    def clean_accuracy(self) -> float:
        """Share of pictures that are classified rightly."""
        return self.is_right.double().mean().item()

    @property
    def robust_accuracy(self) -> float:
        """Share of pictures that no attack changed the class of: the worst case."""
        *_, last = self.withstands.values()
        return last.double().mean().item()


def attack_all(
    model: nn.Module,
    images: Float[Tensor, "n ..."],
    labels: Int[Tensor, " n"],
    attacks: Sequence[Attack],
    ball: Ball,
    *,
    seed: int = 0,
    batch_size: int = _BATCH_SIZE,
) -> Robustness:
    """Attack a network by every means; each picture's worst case counts.

    Args:
        model: Pictures to scores, standardisation included. It is evaluated in
            evaluation mode and left in its own.
        images: Pixels from 0 to 1, on the network's device.
        labels: The true classes.
        attacks: One after the other, the cheapest first: each attacks only what is
            still classified rightly.
        ball: What changes are allowed.
        seed: Of all random numbers. The results depend on the batch size as well.
        batch_size: Pictures attacked together.

    Returns:
        What became of every picture.

    Raises:
        ValueError: If there is no attack, two have one name, or pixels are not from 0
            to 1.
    """
    names = [attack.name for attack in attacks]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"attacks must be some, each of its own name, got {names}")
    if not len(images) or not 0 <= float(images.min()) <= float(images.max()) <= 1:
        raise ValueError("pictures must be there and their pixels from 0 to 1")
    parts = []
    with evaluating(model):
        for start in range(0, len(images), batch_size):
            chosen = slice(start, start + batch_size)
            generator = random_stream(seed, f"attack {start}", images.device)
            parts.append(
                _attack_batch(
                    model, images[chosen], labels[chosen], attacks, ball, generator
                )
            )
    return Robustness(
        torch.cat([part.is_right for part in parts]),
        {
            name: torch.cat([part.withstands[name] for part in parts])
            for name in parts[0].withstands
        },
        torch.cat([part.images for part in parts]),
    )


def _attack_batch(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    attacks: Sequence[Attack],
    ball: Ball,
    generator: torch.Generator,
) -> Robustness:
    is_right = _is_right(model, images, labels)
    standing = is_right.clone()
    found = images.clone()
    withstands = {}
    for attack in attacks:
        left = standing.nonzero().squeeze(1)
        if len(left):
            changed = attack(model, images[left], labels[left], ball, generator)
            found[left] = changed
            # Whatever an attack believes: the network itself is asked again.
            standing[left] = _is_right(model, changed, labels[left])
        withstands[attack.name] = standing.clone()
    return Robustness(is_right, withstands, found)


@torch.no_grad()
def _is_right(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return model(images).argmax(1) == labels
