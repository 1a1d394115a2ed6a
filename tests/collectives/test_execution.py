from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cocodesign.collectives import (
    Communicator,
    all_gather,
    all_reduce,
    local_communicator,
    reduce_scatter,
)
from cocodesign.collectives.execution import even_sizes
from cocodesign.collectives.memory import run_in_memory
from cocodesign.collectives.schedules import (
    Level,
    Schedule,
    all_schedules,
    halving,
    hierarchical,
    ring,
)

each_world_size = pytest.mark.parametrize("world_size", range(1, 18))
MIXED = Schedule((Level(2, "native"), Level(3, "halving"), Level(2)))


def values_of(rank: int, num_elements: int) -> Tensor:
    """Integers as floats, whose sums are exact in any order."""
    return (torch.arange(num_elements) * 7919 % 101 + 1000 * rank).double()


@pytest.mark.slow
@each_world_size
@pytest.mark.parametrize("num_elements", [0, 1, 5, 64])
def test_all_reduce_sums_whatever_the_sizes(world_size: int, num_elements: int) -> None:
    expected = sum(values_of(rank, num_elements) for rank in range(world_size))
    for schedule in (ring(world_size), halving(world_size)):
        sums = run_in_memory(
            world_size,
            lambda c, s=schedule: all_reduce(values_of(c.rank, num_elements), c, s),
        )
        assert all(torch.equal(each, expected) for each in sums)


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [4, 6, 8, 12])
def test_every_factorisation_all_reduces_with_the_same_bits_on_all_ranks(
    world_size: int,
) -> None:
    inputs = torch.randn(world_size, 3, 7, generator=torch.Generator().manual_seed(0))
    expected = inputs.double().sum(0)
    for schedule in [
        *all_schedules(world_size),
        *all_schedules(world_size, ["native"]),
    ]:
        sums = run_in_memory(
            world_size, lambda c, s=schedule: all_reduce(inputs[c.rank], c, s)
        )
        assert all(torch.equal(each, sums[0]) for each in sums), schedule
        torch.testing.assert_close(sums[0].double(), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.sampled_from([ring(5), halving(7), hierarchical([2, 3]), MIXED]), st.data())
def test_reduce_scatter_and_all_gather_take_shards_of_any_size(
    schedule: Schedule, data: st.DataObject
) -> None:
    world_size = schedule.world_size
    sizes = data.draw(
        st.lists(st.integers(0, 5), min_size=world_size, max_size=world_size)
    )

    def scatter_and_gather(communicator: Communicator) -> tuple[Tensor, list[Tensor]]:
        shards = [values_of(communicator.rank + each, each) for each in sizes]
        own = reduce_scatter(shards, communicator, schedule)
        shapes = [(each,) for each in sizes]
        return own, all_gather(own, communicator, shapes, schedule)

    results = run_in_memory(world_size, scatter_and_gather)
    expected = [
        torch.stack([values_of(rank + each, each) for rank in range(world_size)]).sum(0)
        for each in sizes
    ]
    for rank, (own, gathered) in enumerate(results):
        assert torch.equal(own, expected[rank])
        assert all(map(torch.equal, gathered, expected))


@pytest.mark.slow
@each_world_size
def test_the_one_shot_form_gives_the_sum_to_all(world_size: int) -> None:
    schedule = replace(halving(world_size), one_shot=True)
    expected = sum(values_of(rank, 3) for rank in range(world_size))
    sums = run_in_memory(
        world_size, lambda c: all_reduce(values_of(c.rank, 3), c, schedule)
    )
    assert all(torch.equal(each, expected) for each in sums)


def test_inputs_stay_and_shapes_come_back() -> None:
    inputs = [torch.ones(2, 3).t(), torch.ones(3, 2)]
    sums = run_in_memory(2, lambda c: all_reduce(inputs[c.rank], c))
    assert all(torch.equal(each, torch.full((3, 2), 2.0)) for each in sums)
    assert torch.equal(inputs[0], torch.ones(3, 2))
    pair = [torch.ones(2, 2), torch.ones(3)]
    first, second = run_in_memory(2, lambda c: reduce_scatter(pair, c))
    assert (first.shape, second.shape) == (pair[0].shape, pair[1].shape)


def test_a_single_rank_sends_nothing() -> None:
    alone = local_communicator()
    values = torch.arange(4.0)
    result = all_reduce(values, alone)
    assert torch.equal(result, values)
    assert result.data_ptr() != values.data_ptr()
    assert torch.equal(reduce_scatter([values], alone, ring(1)), values)
    assert torch.equal(all_reduce(values, alone, hierarchical([1], "native")), values)


def test_refuses_what_does_not_fit_the_ranks() -> None:
    alone = local_communicator()
    with pytest.raises(ValueError, match=r"\[2, 2\] is for 4 ranks, but there are 1"):
        all_reduce(torch.ones(1), alone, hierarchical([2, 2]))
    with pytest.raises(ValueError, match="1 ranks need as many shards, got 2"):
        reduce_scatter([torch.ones(1)] * 2, alone)
    with pytest.raises(ValueError, match="one shape for each of 1 ranks"):
        all_gather(torch.ones(1), alone, [(2,)])


@given(st.integers(0, 1000), st.integers(1, 50))
def test_even_sizes_add_up_and_differ_by_one_at_most(total: int, count: int) -> None:
    sizes = even_sizes(total, count)
    assert (sum(sizes), len(sizes)) == (total, count)
    assert max(sizes) - min(sizes) <= 1
