"""What each process of the tests does: ``rank_program.py FOLDER``.

``torchrun`` starts it; each rank leaves ``<rank>.pt`` in the folder.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from cocodesign.collectives import Communicator
from cocodesign.collectives.gradients import average_gradients_by
from cocodesign.collectives.membership import join_ranks
from cocodesign.kfac import KFAC, StaleSchedule

NUM_EXAMPLES = 12
CASES: dict[str, dict[str, Any]] = {
    "comm-opt": {"num_workers": None},
    "mem-opt": {"num_workers": 1},
    "mem-opt stale": {"num_workers": 1, "factor_interval": StaleSchedule(0.5)},
}


def train(communicator: Communicator, *, by_ddp: bool, **settings: Any) -> list[Tensor]:
    """Train a few steps on this rank's share and return the parameters."""
    torch.random.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4)
    ).double()
    model: nn.Module = network
    if by_ddp:
        model = DistributedDataParallel(network)
        average_gradients_by(model, communicator)
    optimizer = KFAC(
        model, lr=0.05, communicator=communicator, **{"factor_interval": 2, **settings}
    )
    for step in range(5):
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(NUM_EXAMPLES, 1, 6, 6, generator=generator).double()
        y = torch.randint(4, (NUM_EXAMPLES,), generator=generator)
        size = NUM_EXAMPLES // communicator.world_size
        own = slice(communicator.rank * size, (communicator.rank + 1) * size)
        optimizer.zero_grad()
        functional.cross_entropy(model(x[own]), y[own]).backward()
        optimizer.step()
    return [each.detach() for each in network.parameters()]


def main() -> None:
    torch.set_num_threads(1)
    with join_ranks(limit_s=20.0) as communicator:
        results = {
            (name, by_ddp): train(communicator, by_ddp=by_ddp, **settings)
            for name, settings in CASES.items()
            for by_ddp in (False, True)
        }
        torch.save(results, Path(sys.argv[1]) / f"{communicator.rank}.pt")


if __name__ == "__main__":
    main()
