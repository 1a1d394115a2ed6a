"""A network small enough to check by hand, pictures for it, and one step on them."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.seeding import seeded_globally


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


LABELS = torch.tensor([0, 2, 1, 1, 0, 2])
PICTURES = drawn(6, 2, 5, 5)


def small_network(*, inplace: bool = True, bias: bool = True) -> nn.Sequential:
    with seeded_globally(3, "weights"):
        network = nn.Sequential(
            nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=bias),
            nn.BatchNorm2d(3),
            nn.ReLU(inplace=inplace),
            nn.Flatten(),
            nn.Linear(27, 3),
        )
    return network.double()


def one_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor
) -> None:
    optimizer.zero_grad()
    functional.cross_entropy(model(x), y).backward()
    optimizer.step()


def movements(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return what one step on the pictures adds to every parameter."""
    return movements_of(model, optimizer, PICTURES, LABELS)


def movements_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor
) -> list[Tensor]:
    """Return what one step on some examples adds to every parameter."""
    before = copy.deepcopy(list(model.parameters()))
    one_step(model, optimizer, x, y)
    return [
        after.detach() - old.detach()
        for after, old in zip(model.parameters(), before, strict=True)
    ]
