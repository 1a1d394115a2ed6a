"""Four real processes over gloo, started once."""

import pytest
import torch

from cocodesign.collectives import torch_communicator
from cocodesign.collectives.launching import launch_ranks
from cocodesign.collectives.memory import run_in_memory
from tests.collectives import rank_program

pytestmark = [pytest.mark.distributed, pytest.mark.slow]
Results = list[dict[str, torch.Tensor | list[torch.Tensor]]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("ranks")
    launch_ranks(
        [rank_program.__file__, "collect", str(folder)],
        world_size=4,
        limit_s=120,
        log_dir=folder / "logs",
    )
    return [torch.load(folder / f"{rank}.pt") for rank in range(4)]


def test_processes_compute_what_ranks_in_memory_do(results: Results) -> None:
    in_memory = run_in_memory(4, rank_program.collect)
    for by_process, by_thread in zip(results, in_memory, strict=True):
        for name, expected in by_thread.items():
            found = by_process[name]
            # The library sums native levels in an order of its own.
            torch.testing.assert_close(
                found, expected, rtol=0, atol=1e-6 if "n" in name else 0
            )


def test_all_processes_hold_the_same_bits(results: Results) -> None:
    for schedule in rank_program.schedules_of_four():
        name = f"all_reduce {schedule}"
        assert all(torch.equal(each[name], results[0][name]) for each in results)


def test_gradients_by_a_schedule_are_those_of_the_library(results: Results) -> None:
    for each in results:
        for ours, plain in zip(
            each["our gradients"], each["plain gradients"], strict=True
        ):
            torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-7)
            assert ours.abs().max() > 0


def test_without_a_process_group_the_error_says_how_to_start() -> None:
    with pytest.raises(ValueError, match="start the program with torchrun"):
        torch_communicator()
