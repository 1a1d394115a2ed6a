import random

import pytest

from cocodesign.microbatch.division import Candidate
from cocodesign.microbatch.pareto import pareto_front, pareto_surface
from tests.microbatch.test_planner import random_candidates
from tests.references.brute_force_plans import all_multisets, cost_of, undominated

MIB = 1 << 20


def test_the_original_library_s_own_test_gives_its_fifteen_divisions():
    """The case of spcl/ucudnn, test/dp.cpp, whose limit is a strict one."""
    sizes = [1 << exponent for exponent in range(9)]
    candidates = [
        *(Candidate("fast", b, 0.1 * b + 0.01, MIB * b) for b in sizes),
        *(Candidate("slow", b, 10 * b + 0.1, b) for b in sizes),
    ]
    front = pareto_front(candidates, 256, 64 * MIB - 1)
    expected = [
        *((f"slow:{b}*{256 // b}", b, 2560 + 25.6 / b) for b in sizes[:-1]),
        ("slow:256", 256, 2560.1),
        *((f"fast:{b}*{256 // b}", b * MIB, 25.6 + 2.56 / b) for b in sizes[:6]),
    ]
    assert [str(each) for each in front] == [text for text, _, _ in expected]
    assert [each.workspace_bytes for each in front] == [m for _, m, _ in expected]
    assert [each.time_s for each in front] == pytest.approx([t for _, _, t in expected])
    assert len(front) == 15


@pytest.mark.parametrize("seed", range(60))
def test_front_and_surface_equal_brute_force(seed):
    rng = random.Random(seed)
    total = rng.randint(1, 7)
    candidates = random_candidates(rng, total)
    costs = [
        (round(time_s, 9), memory, error)
        for time_s, memory, error in map(cost_of, all_multisets(candidates, total))
    ]
    front = pareto_front(candidates, total)
    assert {(round(d.time_s, 9), d.workspace_bytes) for d in front} == undominated(
        [cost[:2] for cost in costs]
    )
    surface = pareto_surface(candidates, total)
    assert {
        (round(d.time_s, 9), d.workspace_bytes, d.error_bound) for d in surface
    } == undominated(costs)


def test_front_of_many_undivided_algorithms_keeps_the_undominated_points():
    """As spcl/ucudnn's test/desirableSet.cpp does with random points."""
    rng = random.Random(0)
    points = [(rng.random(), rng.randint(0, 1 << 30)) for _ in range(2_000)]
    candidates = [
        Candidate(f"a{number}", 1, time_s, memory)
        for number, (time_s, memory) in enumerate(points)
    ]
    expected = []
    for time_s, memory in sorted(points, key=lambda point: (point[1], point[0])):
        if not expected or time_s < expected[-1][0]:
            expected.append((time_s, memory))
    front = pareto_front(candidates, 1)
    assert [(each.time_s, each.workspace_bytes) for each in front] == expected


def test_nothing_feasible_gives_an_empty_front():
    assert pareto_front([Candidate("a", 2, 1.0, 100)], 2, 99) == ()
    assert pareto_front([Candidate("a", 2, 1.0, 0)], 3) == ()
