"""A real Slurm for each module of this folder, and a clone that its jobs run in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.local_slurm import LocalSlurm, local_slurm, why_not_here
from tests.cluster.clone import Clone, copy_clone


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSlurm]:
    """Run Slurm with two GPUs."""
    reason = why_not_here()
    if reason:
        pytest.skip(reason)
    with local_slurm(tmp_path_factory.mktemp("slurm") / "slurm") as running:
        yield running


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return copy_clone(tmp_path)
