from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cocodesign.studies.task import MemoryTask


@pytest.fixture(scope="module")
def task() -> MemoryTask:
    """Three noisy blobs that a linear map separates well."""
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(3, 5, generator=generator)

    def drawn(number: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(3, (number,), generator=generator)
        noise = torch.randn(number, 5, generator=generator)
        return centres[labels] + noise, labels

    return MemoryTask(*drawn(240), *drawn(60), *drawn(90))


@pytest.fixture(scope="module")
def build_model() -> Callable[[], nn.Module]:
    return lambda: nn.Linear(5, 3)
