import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.collectives import (
    Communicator,
    all_gather,
    all_reduce,
    reduce_scatter,
)
from cocodesign.collectives.cost_model import (
    CostModel,
    Operation,
    Tier,
    predict,
    summed_bytes,
    traffic_of,
)
from cocodesign.collectives.memory import InMemory, run_in_memory
from cocodesign.collectives.schedules import (
    Schedule,
    all_schedules,
    halving,
    hierarchical,
    ring,
)

UNLIKE = [ring(5), halving(7), hierarchical([2, 3])]


def played(
    schedule: Schedule, operation: Operation, sizes: list[int]
) -> list[tuple[int, int]]:
    """The messages and bytes that every rank really sends."""

    def play(communicator: Communicator) -> tuple[int, int]:
        assert isinstance(communicator, InMemory)
        if operation == "all_reduce":
            all_reduce(torch.ones(sum(sizes)), communicator, schedule)
        elif operation == "reduce_scatter":
            shards = [torch.ones(size) for size in sizes]
            reduce_scatter(shards, communicator, schedule)
        else:
            own = torch.ones(sizes[communicator.rank])
            shapes = [(size,) for size in sizes]
            all_gather(own, communicator, shapes, schedule)
        return communicator.num_messages, communicator.num_bytes_sent

    return run_in_memory(schedule.world_size, play)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["all_reduce", "reduce_scatter", "all_gather"])
@pytest.mark.parametrize("world_size", [1, 2, 6, 7, 8, 17])
def test_every_byte_of_the_model_is_a_byte_of_the_schedule(
    world_size: int, operation: Operation
) -> None:
    sizes = [3] * world_size
    for schedule in all_schedules(world_size):
        traffic = traffic_of(schedule, 4 * sum(sizes), operation)
        messages = sum(each.num_rounds for each in traffic)
        num_bytes = sum(each.num_bytes for each in traffic)
        for found in played(schedule, operation, sizes):
            assert found == (messages, pytest.approx(num_bytes)), schedule


@pytest.mark.parametrize(
    "schedule", [ring(5), halving(7), hierarchical([2, 3])], ids=str
)
def test_with_unequal_shards_the_model_is_the_average(schedule: Schedule) -> None:
    sizes = [(7 * rank) % 11 + 1 for rank in range(schedule.world_size)]
    counts = played(schedule, "reduce_scatter", sizes)
    traffic = traffic_of(schedule, 4 * sum(sizes), "reduce_scatter")
    expected = schedule.world_size * sum(each.num_bytes for each in traffic)
    assert sum(count for _, count in counts) == pytest.approx(expected)


@pytest.mark.parametrize("world_size", [2, 5, 8])
def test_the_one_shot_form_sends_whole_tensors_in_half_the_rounds(
    world_size: int,
) -> None:
    schedule = Schedule(halving(world_size).levels, one_shot=True)
    (traffic,) = traffic_of(schedule, 40)
    assert traffic.num_bytes == pytest.approx(40 * (world_size - 1))
    for found in played(schedule, "all_reduce", [10]):
        assert found == (halving(world_size).num_rounds, traffic.num_bytes)
    assert summed_bytes(schedule, 40) == 40 * (world_size - 1)


def test_predicts_the_formula_of_the_hierarchical_ring() -> None:
    near, far, gamma = Tier(4, 2e-6, 1e-10), Tier(None, 9e-6, 3e-9), 5e-11
    model = CostModel((near, far), gamma, overhead_s=1e-5)
    n = 1e6
    by_hand = 1e-5 + 2 * 3 * 2e-6 + n * 3 / 4 * (2 * 1e-10 + gamma)
    by_hand += 2 * 7 * 9e-6 + n * 7 / 32 * (2 * 3e-9 + gamma)
    assert predict(model, hierarchical([4, 8]), n) == pytest.approx(by_hand)


@given(st.sampled_from(list(all_schedules(24))), st.floats(0, 1e9))
def test_with_equal_links_only_latency_tells_factorisations_apart(
    schedule: Schedule, num_bytes: float
) -> None:
    model = CostModel((Tier(None, 0.0, 1e-9),), 2e-10)
    expected = num_bytes * 23 / 24 * (2 * 1e-9 + 2e-10)
    assert predict(model, schedule, num_bytes) == pytest.approx(expected)


def test_the_latency_of_4096_ranks_is_that_of_the_literature() -> None:
    model = CostModel((Tier(None, 10e-6, 0.0),))
    milliseconds = {
        (4096,): 81.9,
        (4, 1024): 20.52,
        (4, 32, 32): 1.3,
        (4, 8, 8, 16): 0.64,
        (2,) * 12: 0.24,
    }
    for sizes, expected in milliseconds.items():
        assert 1e3 * predict(model, hierarchical(sizes), 0) == pytest.approx(
            expected, rel=2e-3
        )


def test_a_group_that_does_not_fit_a_tier_pays_for_the_slower_links() -> None:
    model = CostModel((Tier(4, 1.0, 0.0), Tier(None, 10.0, 0.0)))
    assert [model.tier_of(reach) for reach in (1, 2, 3, 4, 6, 8)] == [0, 0, 1, 0, 1, 1]


def test_refuses_tiers_that_do_not_nest() -> None:
    everywhere = Tier(None, 1.0, 0.0)
    with pytest.raises(ValueError, match="the last tier"):
        CostModel((Tier(4, 1.0, 0.0),))
    with pytest.raises(ValueError, match="the last tier"):
        CostModel((everywhere, everywhere))
    with pytest.raises(ValueError, match=r"must grow .* got \[8, 4, None\]"):
        CostModel((Tier(8, 1.0, 0.0), Tier(4, 1.0, 0.0), everywhere))
