import random

import pytest

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.division import Candidate
from cocodesign.microbatch.frugality import frugal_division
from cocodesign.microbatch.planner import best_division


class Machine:
    """Algorithms that take about ``a b + c``, and count how often they are timed."""

    def __init__(self, seed: int, total: int, bump: float) -> None:
        rng = random.Random(seed)
        self.num_timed = 0
        self.candidates: dict[tuple[str, int], Candidate] = {}
        for number in range(rng.randint(2, 6)):
            a, c = rng.uniform(0.5, 3), rng.uniform(0, 5)
            memory = rng.randint(0, 3)
            for size in range(1, total + 1):
                bumpy = 1 + bump * rng.uniform(-0.5, 0.5)
                name = f"algorithm{number}"
                self.candidates[name, size] = Candidate(
                    name, size, (a * size + c) * bumpy, memory * size
                )

    def workspaces(self) -> dict[str, dict[int, int]]:
        found: dict[str, dict[int, int]] = {}
        for (name, size), candidate in self.candidates.items():
            found.setdefault(name, {})[size] = candidate.workspace_bytes
        return found

    def time(self, name: str, size: int) -> Candidate:
        self.num_timed += 1
        return self.candidates[name, size]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_ten_times_fewer_timings_lose_at_most_a_hundredth(seed):
    total = 64
    machine = Machine(seed, total, bump=0.005)
    limit = random.Random(seed).randint(20, 150)
    best = best_division(list(machine.candidates.values()), total, limit)
    found, timed = frugal_division(machine.workspaces(), machine.time, total, limit)
    assert found.time_s <= best.time_s * 1.01
    assert found.workspace_bytes <= limit
    assert len(timed) == machine.num_timed <= len(machine.candidates) / 10


def test_what_is_measured_replaces_what_was_expected():
    def time(name: str, size: int) -> Candidate:
        return Candidate(name, size, 1.0 * size, workspace_bytes=50 * size)

    division, _ = frugal_division({"fft": {1: 10, 2: 20, 4: 40}}, time, 4, 100)
    assert division.workspace_bytes <= 100
    with pytest.raises(InfeasiblePlanError):
        frugal_division({"fft": {4: 40}}, time, 4, 100)
