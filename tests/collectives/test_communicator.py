import pytest
import torch

from cocodesign.collectives import Communicator, all_reduce, local_communicator
from cocodesign.collectives.communicator import subset
from cocodesign.collectives.memory import run_in_memory
from cocodesign.collectives.schedules import hierarchical, ring


@pytest.mark.parametrize("schedule", [ring(3), hierarchical([3], "native")], ids=str)
def test_subsets_reduce_side_by_side(schedule) -> None:
    def reduce_in_row(communicator: Communicator) -> float:
        row = subset(communicator, range(communicator.rank % 2, 6, 2))
        assert row.rank == communicator.rank // 2
        return all_reduce(torch.tensor(float(communicator.rank)), row, schedule).item()

    assert run_in_memory(6, reduce_in_row) == [6.0, 9.0] * 3


def test_a_subset_of_a_subset_is_one_of_the_whole() -> None:
    def reduce_within(communicator: Communicator) -> float:
        half = subset(communicator, range(communicator.rank % 2, 8, 2))
        pair = subset(half, range(half.rank % 2, 4, 2))
        schedule = hierarchical([2], "native")
        return all_reduce(torch.tensor(float(communicator.rank)), pair, schedule).item()

    sums = run_in_memory(8, reduce_within)
    assert sums == [rank + (rank + 4) % 8 for rank in range(8)]


def test_refuses_a_subset_without_this_rank() -> None:
    with pytest.raises(ValueError, match=r"rank 0 is not among \[1, 2\]"):
        subset(local_communicator(), range(1, 3))
