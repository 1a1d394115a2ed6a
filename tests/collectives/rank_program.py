"""What each process of the tests does: ``rank_program.py TASK FOLDER``.

``torchrun`` starts it; each rank leaves ``<rank>.pt`` in the folder.
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cocodesign.collectives import (
    Communicator,
    all_gather,
    all_reduce,
    reduce_scatter,
)
from cocodesign.collectives.communicator import subset
from cocodesign.collectives.gradients import average_gradients_by
from cocodesign.collectives.membership import join_ranks
from cocodesign.collectives.schedules import (
    Level,
    Schedule,
    halving,
    hierarchical,
    ring,
)

LIMIT_S = 3.0
SIZES = [3, 0, 5, 1]


def schedules_of_four() -> list[Schedule]:
    return [
        ring(4),
        halving(4),
        hierarchical([2, 2]),
        hierarchical([4], "native"),
        Schedule((Level(2, "native"), Level(2))),
        Schedule((Level(4, "halving"),), one_shot=True),
    ]


def collect(communicator: Communicator) -> dict[str, Tensor | list[Tensor]]:
    """Run everything that has to agree with the ranks in memory."""
    rank = communicator.rank
    values = torch.randn(37, generator=torch.Generator().manual_seed(rank))
    shards = list(values[: sum(SIZES)].split(SIZES))
    shapes = [(size,) for size in SIZES]
    results: dict[str, Tensor | list[Tensor]] = {}
    for schedule in schedules_of_four():
        own = reduce_scatter(shards, communicator, schedule)
        results[f"all_reduce {schedule}"] = all_reduce(values, communicator, schedule)
        results[f"all_gather {schedule}"] = all_gather(
            own, communicator, shapes, schedule
        )
    row = subset(communicator, range(rank % 2, 4, 2))
    results["row"] = all_reduce(values, row, hierarchical([2], "native"))
    return results


def gradients(communicator: Communicator, *, by_schedule: bool) -> list[Tensor]:
    torch.random.manual_seed(0)
    model = DistributedDataParallel(nn.Linear(5, 3))
    if by_schedule:
        average_gradients_by(model, communicator, lambda _: ring(4))
    inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    model(inputs[communicator.rank]).square().sum().backward()
    return [
        parameter.grad for parameter in model.parameters() if parameter.grad is not None
    ]


def main() -> None:
    task, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    with join_ranks(limit_s=LIMIT_S) as communicator:
        rank = communicator.rank
        print(f"rank {rank} is here")  # noqa: T201 (what a launcher reports)
        if task == "collect":
            results = collect(communicator)
            results["plain gradients"] = gradients(communicator, by_schedule=False)
            results["our gradients"] = gradients(communicator, by_schedule=True)
            torch.save(results, folder / f"{rank}.pt")
            return
        all_reduce(torch.ones(1), communicator)
        if rank == 1 and task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if rank == 1 and task == "raise":
            raise ArithmeticError("rank 1 divided by zero")
        if rank == 1 and task == "hang":
            time.sleep(600)
        if task == "sleep":
            time.sleep(600)
        all_reduce(torch.ones(1), communicator)


if __name__ == "__main__":
    main()
