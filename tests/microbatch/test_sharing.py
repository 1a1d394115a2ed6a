import random
import time

import pytest

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.division import Candidate, Division, Part
from cocodesign.microbatch.pareto import pareto_front
from cocodesign.microbatch.planner import candidate_sizes
from cocodesign.microbatch.sharing import share_workspace
from tests.references.brute_force_plans import fastest_sharing


def random_front(rng: random.Random) -> tuple[Division, ...]:
    count = rng.randint(1, 5)
    sizes = sorted(rng.sample(range(20), count))
    times = sorted((rng.uniform(1, 10) for _ in range(count)), reverse=True)
    part = (Part("direct", 1),)
    return tuple(
        Division(part, time_s, size) for time_s, size in zip(times, sizes, strict=True)
    )


@pytest.mark.parametrize("seed", range(100))
def test_equals_brute_force(seed):
    rng = random.Random(seed)
    fronts = [random_front(rng) for _ in range(rng.randint(1, 4))]
    total = rng.randint(0, 50)
    expected = fastest_sharing(fronts, total)
    if expected is None:
        with pytest.raises(InfeasiblePlanError, match="leanest"):
            share_workspace(fronts, total)
        return
    plan = share_workspace(fronts, total, gap_fraction=0.0)
    assert plan.time_s == pytest.approx(expected)
    assert plan.workspace_bytes <= total
    assert plan.lower_bound_s <= expected + 1e-9
    assert plan.workspace_bytes == sum(d.workspace_bytes for d in plan.divisions)


@pytest.mark.parametrize("seed", range(30))
def test_the_certificate_never_exceeds_the_optimum(seed):
    rng = random.Random(1000 + seed)
    fronts = [random_front(rng) for _ in range(4)]
    total = sum(front[0].workspace_bytes for front in fronts) + rng.randint(0, 30)
    loose = share_workspace(fronts, total, gap_fraction=1.0)
    optimum = fastest_sharing(fronts, total)
    assert optimum is not None
    assert loose.lower_bound_s <= optimum + 1e-9 <= loose.time_s + 2e-9


def kernels_like_resnet50(rng: random.Random) -> list[list[Candidate]]:
    """Return 161 layers times three directions of four algorithms at N = 256."""
    kernels = []
    for _ in range(161 * 3):
        flops = rng.uniform(1, 4)
        algorithms = []
        for name, speed, fixed, memory in (
            ("gemm", 1.0, 0.01, 0),
            ("implicit", 1.3, 0.02, 2**16),
            ("fft", rng.uniform(1.2, 3), 0.2, 2**22),
            ("winograd", rng.uniform(1.2, 2.5), 0.1, 2**20),
        ):
            algorithms += [
                Candidate(
                    name, b, flops * (b / speed + fixed) / 256, memory * b + memory
                )
                for b in candidate_sizes(256, "power_of_two")
            ]
        kernels.append(algorithms)
    return kernels


@pytest.mark.slow
def test_plans_483_kernels_within_two_seconds_and_a_thousandth():
    kernels = kernels_like_resnet50(random.Random(0))
    start = time.process_time()
    fronts = [pareto_front(candidates, 256) for candidates in kernels]
    plan = share_workspace(fronts, 4 << 30, gap_fraction=1e-3)
    elapsed_s = time.process_time() - start
    assert plan.gap_fraction <= 1e-3
    assert elapsed_s < 2.0
