"""Pictures that a small network learns in a second."""

import torch
from torch import Tensor, nn

from cocodesign.robustness_study.networks import StridedNet
from cocodesign.seeding import seeded_globally

Labelled = tuple[Tensor, Tensor]


def stripes(num: int, seed: int) -> Labelled:
    """Draw noisy pictures with a bright row, whose number is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % 4
    images = 0.4 + 0.2 * torch.rand(num, 1, 8, 8, generator=generator)
    images[torch.arange(num), 0, 2 * labels] += 0.15
    return images.clamp(0, 1), labels


def trained_network() -> nn.Module:
    """Train a small network on them."""
    images, labels = stripes(256, seed=0)
    with seeded_globally(0, "weights"):
        network = StridedNet((1, 8, 8), 4, channels=4, num_hidden=16)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    optimizer.zero_grad()
    return network.eval()
