import pytest
import torch

from cocodesign.collectives import Communicator
from cocodesign.collectives.memory import run_in_memory
from cocodesign.errors import CollectiveError


def test_a_rank_that_hears_nothing_says_of_whom() -> None:
    def wait_for_rank_1(communicator: Communicator) -> None:
        if communicator.rank == 0:
            communicator.exchange(torch.ones(1), 1, torch.zeros(1), 1)

    with pytest.raises(CollectiveError, match=r"rank 0 waited 0\.05 s for rank 1"):
        run_in_memory(2, wait_for_rank_1, limit_s=0.05)


def test_the_error_of_the_rank_that_failed_comes_first() -> None:
    def fail_on_rank_1(communicator: Communicator) -> None:
        if communicator.rank == 1:
            raise ArithmeticError("rank 1 divided by zero")
        communicator.exchange(torch.ones(1), 1, torch.zeros(1), 1)

    with pytest.raises(ArithmeticError, match="rank 1 divided"):
        run_in_memory(2, fail_on_rank_1, limit_s=0.05)


def test_a_message_is_what_it_was_when_it_was_sent() -> None:
    def send_and_overwrite(communicator: Communicator) -> float:
        sent, received = torch.full((1,), float(communicator.rank)), torch.zeros(1)
        other = 1 - communicator.rank
        communicator.exchange(sent, other, received, other)
        sent.fill_(-1)
        communicator.exchange(sent[:0], other, received[:0], other)
        return received.item()

    assert run_in_memory(2, send_and_overwrite) == [1.0, 0.0]


def test_refuses_a_world_without_ranks() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        run_in_memory(0, lambda communicator: communicator.rank)
