"""A small trained network and pictures that it knows."""

import pytest
import torch
from torch import nn

from cocodesign.robustness_study.networks import StridedNet
from cocodesign.seeding import seeded_globally
from tests.robustness.stripes import Labelled, stripes


@pytest.fixture(scope="session")
def pictures() -> Labelled:
    return stripes(64, seed=1)


@pytest.fixture(scope="session")
def trained() -> nn.Module:
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
