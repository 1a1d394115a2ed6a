"""Two real processes over gloo, started once."""

import pytest
import torch

from cocodesign.collectives.launching import launch_ranks
from cocodesign.collectives.memory import run_in_memory
from tests.microbatch.distribution import rank_program

pytestmark = [pytest.mark.distributed, pytest.mark.slow]


def test_processes_compute_the_same_bits_as_ranks_in_memory(tmp_path):
    launch_ranks(
        [rank_program.__file__, str(tmp_path)],
        world_size=2,
        limit_s=120,
        log_dir=tmp_path / "logs",
    )
    in_memory = run_in_memory(2, rank_program.collect, limit_s=60)
    for rank, expected in enumerate(in_memory):
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(found[name], value), (rank, name)
