"""How long collectives take on the ranks at hand.

Several ways are timed in turn, so that a slow moment of the machine hits all of them;
the number to use is the median over the turns.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cocodesign.collectives.communicator import Communicator
from cocodesign.collectives.execution import all_reduce
from cocodesign.collectives.schedules import Schedule

_TURN_S = 0.02  # a turn repeats the collective until about this long


@dataclass(frozen=True)
class Timing:
    """How long an all-reduce took.

    Attributes:
        schedule: How it was done, as ``str(schedule)``; or the name of another way.
        num_bytes: Size of the tensor.
        seconds: One mean per turn; that of the slowest rank.
    """

    schedule: str
    num_bytes: int
    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The median over the turns."""
        return statistics.median(self.seconds)


def time_all_reduces(
    communicator: Communicator,
    ways: dict[str, Callable[[Tensor], object]],
    sizes_bytes: Sequence[int],
    *,
    num_turns: int,
    device: torch.device | str = "cpu",
) -> list[Timing]:
    """Time several ways to all-reduce float32 tensors.

    Args:
        communicator: The ranks; all call this alike.
        ways: By name, what all-reduces a tensor.
        sizes_bytes: Sizes of the tensors, multiples of 4.
        num_turns: Turns of each way, at least 1; one more comes first as a warm-up.
        device: Where the tensors are.

    Returns:
        One timing per way and size, the same on all ranks.
    """
    tensors = {size: torch.ones(size // 4, device=device) for size in sizes_bytes}
    repetitions = {
        (name, size): _repetitions(communicator, way, tensor)
        for size, tensor in tensors.items()
        for name, way in ways.items()
    }
    found: dict[tuple[str, int], list[float]] = {key: [] for key in repetitions}
    for turn in range(num_turns):
        # Each follows each other one at some time.
        for name, size in found if turn % 2 else reversed(found):
            found[name, size].append(
                _time(communicator, ways[name], tensors[size], repetitions[name, size])
            )
    return [
        Timing(name, size_bytes, tuple(seconds))
        for (name, size_bytes), seconds in found.items()
    ]


def ways_of(
    communicator: Communicator, schedules: Sequence[Schedule]
) -> dict[str, Callable[[Tensor], object]]:
    """Return the schedules as ways for ``time_all_reduces``."""
    return {
        str(schedule): lambda tensor, chosen=schedule: all_reduce(
            tensor, communicator, chosen
        )
        for schedule in schedules
    }


def _repetitions(
    communicator: Communicator, way: Callable[[Tensor], object], tensor: Tensor
) -> int:
    way(tensor)  # memory, connections
    return max(1, int(_TURN_S / _time(communicator, way, tensor, 1)))


def _time(
    communicator: Communicator,
    way: Callable[[Tensor], object],
    tensor: Tensor,
    repetitions: int,
) -> float:
    """Return the seconds of one call, for the slowest rank; the same on all."""
    all_reduce(torch.zeros(1, device=tensor.device), communicator)  # start together
    _wait_for(tensor.device)
    start = time.perf_counter()
    for _ in range(repetitions):
        way(tensor)
    _wait_for(tensor.device)
    elapsed_s = (time.perf_counter() - start) / repetitions
    own = torch.zeros(communicator.world_size, dtype=torch.float64)
    own[communicator.rank] = elapsed_s
    return all_reduce(own.to(tensor.device), communicator).max().item()


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
