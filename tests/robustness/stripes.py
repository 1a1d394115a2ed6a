"""Pictures that a small network learns in a second."""

import torch
from torch import Tensor

Labelled = tuple[Tensor, Tensor]


def stripes(num: int, seed: int) -> Labelled:
    """Draw noisy pictures with a bright row, whose number is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % 4
    images = 0.4 + 0.2 * torch.rand(num, 1, 8, 8, generator=generator)
    images[torch.arange(num), 0, 2 * labels] += 0.15
    return images.clamp(0, 1), labels
