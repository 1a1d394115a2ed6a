"""A small trained network and pictures that it knows."""

import pytest
from torch import nn

from tests.robustness.stripes import Labelled, stripes, trained_network


@pytest.fixture(scope="session")
def pictures() -> Labelled:
    return stripes(64, seed=1)


@pytest.fixture(scope="session")
def trained() -> nn.Module:
    return trained_network()
