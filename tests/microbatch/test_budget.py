import random

import pytest

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.budget import Block, Moment, plan_step
from cocodesign.microbatch.division import Division, Part
from tests.microbatch.test_sharing import random_front
from tests.references.brute_force_plans import fastest_step


def random_step(rng: random.Random):
    """Draw a chain of blocks: forward passes, then backward passes in reverse."""
    num_blocks = rng.randint(1, 3)
    moments, fronts, starts, kernels = [], {}, [], []
    live = rng.randint(0, 5)
    saved = [rng.randint(1, 9) for _ in range(num_blocks)]
    for number in range(num_blocks):
        kernel = f"forward{number}"
        moments.append(Moment(live, kernel))
        fronts[kernel] = random_front(rng)
        kernels.append((kernel,) if rng.random() < 0.7 else ())
        live += saved[number]
        moments.append(Moment(live))
        starts.append(len(moments))
    blocks = []
    for number in reversed(range(num_blocks)):
        kernel = f"backward{number}"
        blocks.append(
            Block(
                f"block{number}",
                (starts[number], len(moments)),
                min(saved[number], live),
                rng.uniform(0.5, 3),
                kernels[number],
            )
        )
        moments.append(Moment(live, kernel))
        fronts[kernel] = random_front(rng)
        live -= saved[number]
    usable = [block for block in blocks if block.held[0] < block.held[1]]
    return moments, fronts, usable


@pytest.mark.parametrize(
    "num_instances", [30, pytest.param(300, marks=pytest.mark.slow)]
)
def test_equals_brute_force_on_random_steps(num_instances):
    feasible = 0
    for seed in range(num_instances):
        rng = random.Random(seed)
        moments, fronts, blocks = random_step(rng)
        limit = rng.randint(5, 45)
        expected = fastest_step(moments, fronts, limit, blocks)
        if expected is None:
            with pytest.raises(InfeasiblePlanError):
                plan_step(moments, fronts, limit, blocks)
            continue
        feasible += 1
        plan = plan_step(moments, fronts, limit, blocks)
        assert plan.time_s == pytest.approx(expected), seed
        assert plan.peak_bytes <= limit
        assert plan.lower_bound_s <= plan.time_s
    assert feasible > num_instances / 2


def two_layers(limit: int, *, recomputes: bool):
    """Plan a step in which a saved activation leaves no room for a fast kernel."""
    parts = (Part("direct", 8),)
    lean, fast = Division(parts, 10.0, 0), Division(parts, 2.0, 100)
    only = (Division(parts, 1.0, 0),)
    moments = [
        Moment(50, "first"),
        Moment(150, "second"),
        Moment(150, "second backward"),
        Moment(100, "first backward"),
    ]
    fronts = {
        "first": only,
        "second": (lean, fast),
        "second backward": (lean, fast),
        "first backward": only,
    }
    block = Block("first", held=(1, 3), saved_bytes=80, recompute_s=0.5)
    return plan_step(moments, fronts, limit, [block] if recomputes else [])


def test_a_kernel_gets_what_is_free_at_its_moment():
    assert two_layers(250, recomputes=False).time_s == pytest.approx(1 + 2 + 2 + 1)
    assert two_layers(249, recomputes=False).time_s == pytest.approx(1 + 10 + 10 + 1)


def test_recomputing_pays_where_it_frees_memory_for_a_faster_kernel():
    plan = two_layers(200, recomputes=True)
    assert plan.recomputed == ("first",)
    assert plan.time_s == pytest.approx(1 + 2 + 2 + 1 + 0.5)
    assert plan.peak_bytes <= 200
    assert two_layers(250, recomputes=True).recomputed == ()


def test_recomputing_makes_a_step_fit_that_would_not():
    with pytest.raises(InfeasiblePlanError, match="about 150"):
        two_layers(100, recomputes=False)
    assert two_layers(100, recomputes=True).recomputed == ("first",)
