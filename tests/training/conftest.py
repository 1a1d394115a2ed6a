from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cocodesign.kfac import KFAC
from cocodesign.seeding import random_stream, seeded_globally
from cocodesign.training import BatchStream, warmup_polynomial

Training = tuple[nn.Module, Optimizer, BatchStream, LRScheduler]
BUILDERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "SGD": lambda model: SGD(model.parameters(), lr=0.1, momentum=0.9),
    "K-FAC": lambda model: KFAC(model, lr=0.1, factor_interval=4),
}


@pytest.fixture
def examples() -> Tensor:
    return torch.randn(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(3, (20,), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def make_training(examples: Tensor, labels: Tensor) -> Callable[..., Training]:
    """Return a function that builds all parts of a training, equally by seed."""

    def make(
        optimizer: str = "SGD",
        *,
        seed: int = 0,
        mini_batch_size: int = 6,
        width: int = 4,
    ) -> Training:
        with seeded_globally(seed, "weights"):
            model = nn.Sequential(
                nn.Conv2d(1, width, 3),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Flatten(),
                nn.Dropout(0.2),
                nn.Linear(4 * width, 3),
            )
        built = BUILDERS[optimizer](model)
        stream = random_stream(seed, "batches")
        return (
            model,
            built,
            BatchStream(examples, labels, mini_batch_size, stream),
            warmup_polynomial(built, num_warmup_steps=3, num_steps=40, power=2.0),
        )

    return make
