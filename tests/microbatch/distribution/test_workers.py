import itertools
import random

import pytest

from cocodesign.microbatch.distribution import split_mini_batch


def brute_force(seconds, total: int) -> float:
    sizes = itertools.product(range(total + 1), repeat=len(seconds))
    return min(
        max(times[size] for times, size in zip(seconds, split, strict=True))
        for split in sizes
        if sum(split) == total
    )


@pytest.mark.parametrize("seed", range(50))
def test_equals_brute_force_for_any_times(seed):
    rng = random.Random(seed)
    total = rng.randint(1, 7)
    seconds = [
        [rng.uniform(0, 5) for _ in range(total + 1)] for _ in range(rng.randint(1, 3))
    ]
    sizes, makespan = split_mini_batch(seconds, total)
    assert sum(sizes) == total
    assert makespan == pytest.approx(brute_force(seconds, total))
    taken = (times[size] for times, size in zip(seconds, sizes, strict=True))
    assert max(taken) == pytest.approx(makespan)


def test_two_workers_of_speeds_two_and_one_gain_a_half():
    fast = [0.5 * n for n in range(301)]
    slow = [1.0 * n for n in range(301)]
    sizes, makespan = split_mini_batch([fast, slow], 300)
    assert sizes == (200, 100)
    assert fast[300] / makespan == pytest.approx(1.5)


def test_refuses_no_worker_and_missing_times():
    with pytest.raises(ValueError, match="at least one worker"):
        split_mini_batch([], 3)
    with pytest.raises(ValueError, match="worker 1 needs its times for 0 to 3"):
        split_mini_batch([[0.0] * 4, [0.0] * 3], 3)
