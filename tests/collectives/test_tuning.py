from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocodesign.collectives.cost_model import (
    CostModel,
    Machine,
    Operation,
    Tier,
    predict,
)
from cocodesign.collectives.schedules import all_schedules, ring
from cocodesign.collectives.topology import SimulatedMachine, abci, modern
from cocodesign.collectives.tuning import tune

costs = st.floats(0, 1e-3)


def fastest_s(
    machine: Machine, world_size: int, num_bytes: float, operation: Operation
) -> float:
    """By trying every factorisation."""
    candidates = list(all_schedules(world_size))
    if operation == "all_reduce":
        candidates += [replace(each, one_shot=True) for each in candidates]
    return min(predict(machine, each, num_bytes, operation) for each in candidates)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(costs, min_size=7, max_size=7),
    st.sampled_from([(2, 4), (1, 3), (3, 6), (4, 8)]),
    st.sampled_from([1, 2, 3, 7, 8, 12, 16, 24]),
    st.sampled_from([0.0, 1e3, 1e6]),
    st.sampled_from(["all_reduce", "reduce_scatter", "all_gather"]),
)
def test_is_as_good_as_trying_every_factorisation(
    costs_s: list[float],
    sizes: tuple[int, int],
    world_size: int,
    num_bytes: float,
    operation: Operation,
) -> None:
    *latencies, gamma = costs_s[:4]
    tiers = [
        Tier(size, latency, 1e-6 * beta)
        for size, latency, beta in zip(
            (*sizes, None), latencies, costs_s[4:], strict=True
        )
    ]
    model = CostModel(tuple(tiers), 1e-6 * gamma)
    chosen = tune(model, world_size, num_bytes, operation)
    assert chosen.world_size == world_size
    assert predict(model, chosen, num_bytes, operation) == pytest.approx(
        fastest_s(model, world_size, num_bytes, operation), rel=1e-7
    )


@pytest.mark.parametrize("topology", [abci(), modern()], ids=lambda each: each.name)
@pytest.mark.parametrize("num_bytes", [1e3, 1e8])
def test_is_exhaustive_with_contention_too(topology, num_bytes) -> None:
    machine = SimulatedMachine(topology, 24)
    chosen = tune(machine, 24, num_bytes)
    assert predict(machine, chosen, num_bytes) == pytest.approx(
        fastest_s(machine, 24, num_bytes, "all_reduce"), rel=1e-7
    )


def test_is_50_times_faster_than_a_ring_where_latency_rules() -> None:
    model = CostModel((Tier(None, 10e-6, 1e-10),))
    num_bytes = 1024
    chosen = tune(model, 4096, num_bytes)
    ring_s = predict(model, ring(4096), num_bytes)
    assert ring_s / predict(model, chosen, num_bytes) >= 50


def test_takes_only_patterns_it_may() -> None:
    model = CostModel((Tier(None, 1.0, 0.0),))
    only_rings = tune(model, 7, 1.0, patterns=["ring"])
    assert {level.pattern for level in only_rings.levels} == {"ring"}
    assert tune(model, 1, 1.0).world_size == 1
    with pytest.raises(ValueError, match="at least 1 and there must be a pattern"):
        tune(model, 4, 1.0, patterns=[])
