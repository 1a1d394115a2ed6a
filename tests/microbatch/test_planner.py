import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.division import Candidate, parse_parts
from cocodesign.microbatch.planner import (
    best_division,
    candidate_sizes,
    divisions_by_limit,
    shortest_path,
    shortest_times,
)
from tests.references.brute_force_plans import cost_of, fastest_time

NUM_INSTANCES = 600


def random_candidates(rng: random.Random, total: int) -> list[Candidate]:
    """Draw up to three algorithms, some of them with a setup, at some sizes."""
    candidates = []
    for number in range(rng.randint(1, 3)):
        setup_s = rng.choice([0.0, 0.0, rng.uniform(0, 4)])
        sizes = rng.sample(range(1, total + 1), rng.randint(1, min(4, total)))
        candidates += [
            Candidate(
                f"algorithm{number}",
                size,
                run_s=rng.uniform(0.1, 1) * size + rng.uniform(0, 2),
                workspace_bytes=rng.randint(0, 9),
                setup_s=setup_s,
                error_bound=rng.randint(0, 3) / 10,
            )
            for size in sizes
        ]
    return candidates


def check_against_brute_force(seed: int) -> None:
    rng = random.Random(seed)
    total = rng.randint(1, 9)
    candidates = random_candidates(rng, total)
    limit = rng.randint(0, 10)
    expected = fastest_time(candidates, total, limit)
    if expected is None:
        with pytest.raises(InfeasiblePlanError):
            best_division(candidates, total, limit)
        return
    division = best_division(candidates, total, limit)
    assert division.time_s == pytest.approx(expected)
    assert division.workspace_bytes <= limit
    assert division.mini_batch_size == total
    by_part = {(one.algorithm, one.micro_batch_size): one for one in candidates}
    parts = [by_part[part.algorithm, part.micro_batch_size] for part in division.parts]
    assert cost_of(parts) == pytest.approx(
        (division.time_s, division.workspace_bytes, division.error_bound)
    )


def test_equals_brute_force_on_random_instances():
    for seed in range(NUM_INSTANCES):
        check_against_brute_force(seed)


@given(
    st.lists(st.integers(1, 4), max_size=4),
    st.integers(1, 3),
    st.integers(1, 70),
    st.randoms(use_true_random=False),
)
def test_a_chain_of_divisors_gives_what_the_full_recurrence_gives(
    factors, first, total, rng
):
    products = (first * math.prod(factors[:n]) for n in range(len(factors) + 1))
    sizes = sorted({min(product, total) for product in products})
    table = np.array(
        [[rng.uniform(0.5, 1.5) * size**0.8 for size in sizes] for _ in range(3)]
    )
    times = shortest_times(table, sizes, total)
    assert times == pytest.approx(through_all_states(table, sizes, total))
    for row, time_s in zip(table, times, strict=True):
        if math.isfinite(time_s):
            path = shortest_path(row, sizes, total)
            assert sum(sizes[index] * n for index, n in path.items()) == total
            spent_s = sum(row[index] * n for index, n in path.items())
            assert spent_s == pytest.approx(time_s)


def through_all_states(table, sizes, total):
    """Evaluate the recurrence as it is written, for each row."""
    totals = []
    for row in table:
        best = [0.0]
        for n in range(1, total + 1):
            ways = [
                time_s + best[n - size]
                for size, time_s in zip(sizes, row, strict=True)
                if size <= n
            ]
            best.append(min(ways, default=math.inf))
        totals.append(best[-1])
    return totals


def test_more_workspace_is_never_slower():
    rng = random.Random(1)
    candidates = random_candidates(rng, 24)
    found = divisions_by_limit(candidates, 24, list(range(10)))
    times = [math.inf if each is None else each.time_s for each in found]
    assert times == sorted(times, reverse=True)


def test_a_setup_is_paid_once_and_can_lose_to_an_algorithm_without_one():
    direct = Candidate("direct", 8, run_s=8.0, workspace_bytes=0)
    fft = [
        Candidate("fft", size, run_s=0.5 * size, workspace_bytes=size, setup_s=2.0)
        for size in (1, 2, 4, 8)
    ]
    assert best_division([direct, *fft], 8, 1).time_s == pytest.approx(2 + 8 * 0.5)
    dear = [Candidate("fft", 1, 0.5, 1, setup_s=5.0)]
    assert str(best_division([direct, *dear], 8, 1)) == "direct:8"


def test_the_parts_of_an_algorithm_follow_each_other():
    candidates = [
        Candidate("a", 2, run_s=1.0, workspace_bytes=0),
        Candidate("b", 3, run_s=1.0, workspace_bytes=0),
    ]
    names = [part.algorithm for part in best_division(candidates, 13).parts]
    assert names == sorted(names)


def test_an_error_bound_excludes_algorithms():
    exact = Candidate("direct", 4, run_s=4.0, workspace_bytes=0, error_bound=1e-6)
    rough = Candidate("winograd", 4, run_s=1.0, workspace_bytes=0, error_bound=1e-3)
    assert str(best_division([exact, rough], 4)) == "winograd:4"
    assert str(best_division([exact, rough], 4, max_error=1e-4)) == "direct:4"


def test_refuses_what_nothing_fits_with_the_smallest_workspace():
    candidate = Candidate("fft", 4, run_s=1.0, workspace_bytes=4096)
    with pytest.raises(InfeasiblePlanError, match="is 4,096 bytes"):
        best_division([candidate], 4, 100)


def test_refuses_two_setup_times_of_one_algorithm():
    candidates = [
        Candidate("fft", size, 1.0, workspace_bytes=0, setup_s=float(size))
        for size in (1, 2)
    ]
    with pytest.raises(ValueError, match="one setup time"):
        best_division(candidates, 2)


@pytest.mark.parametrize("policy", ["undivided", "power_of_two", "all"])
@pytest.mark.parametrize("size", [1, 7, 64, 100])
def test_every_policy_can_cover_the_mini_batch(policy, size):
    sizes = candidate_sizes(size, policy)
    assert size in sizes
    assert list(sizes) == sorted(set(sizes))
    assert policy == "undivided" or sizes[0] == 1


def test_text_of_a_division_can_be_read_back():
    candidates = [Candidate("a", 2, 1.0, 0), Candidate("b", 1, 0.8, 0)]
    division = best_division(candidates, 7)
    assert parse_parts(str(division)) == division.parts


@pytest.mark.parametrize("text", ["", "fft", "fft:0", "fft:2*", "fft:-1", "FFT:2"])
def test_refuses_text_that_is_no_division(text):
    with pytest.raises(ValueError, match="part"):
        parse_parts(text)
