"""Three real processes over gloo, started once, with and without DDP."""

import pytest
import torch

from cocodesign.collectives import local_communicator
from cocodesign.collectives.launching import launch_ranks
from tests.kfac import rank_program

TOLERANCE = 1e-12  # float64, sums in another order

pytestmark = [pytest.mark.distributed, pytest.mark.slow]
Results = list[dict[tuple[str, bool], list[torch.Tensor]]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("ranks")
    launch_ranks(
        [rank_program.__file__, str(folder)],
        world_size=3,
        limit_s=120,
        log_dir=folder / "logs",
    )
    return [torch.load(folder / f"{rank}.pt") for rank in range(3)]


@pytest.mark.parametrize("by_ddp", [False, True], ids=["plain", "ddp"])
@pytest.mark.parametrize("name", rank_program.CASES)
def test_processes_with_shares_make_the_steps_of_one_with_all(
    results: Results, name: str, by_ddp: bool
) -> None:
    settings = {**rank_program.CASES[name], "num_workers": None}
    alone = rank_program.train(local_communicator(), by_ddp=False, **settings)
    for found, expected in zip(results[0][name, by_ddp], alone, strict=True):
        assert (found - expected).abs().max() < TOLERANCE


def test_all_replicas_have_the_same_bits(results: Results) -> None:
    for key, first in results[0].items():
        for each in results[1:]:
            assert all(map(torch.equal, each[key], first))
