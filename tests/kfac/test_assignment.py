import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.kfac.assignment import assign, inversion_cost

layers = st.lists(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=2), min_size=1, max_size=20
)


@given(layers, st.sampled_from([(1, 1), (4, 1), (4, 2), (4, 4), (6, 3)]))
def test_every_statistic_has_one_owner_in_its_layers_column(
    costs: list[list[float]], grid: tuple[int, int]
) -> None:
    found = assign(costs, *grid)
    for layer, (column, owners) in enumerate(
        zip(found.columns, found.owners, strict=True)
    ):
        assert len(owners) == len(costs[layer])
        assert set(owners) <= set(found.column_ranks(column))
    for rank, load in enumerate(found.loads):
        owned = [
            cost
            for layer, owners in enumerate(found.owners)
            for cost, owner in zip(costs[layer], owners, strict=True)
            if owner == rank
        ]
        assert load == pytest.approx(sum(owned))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=7), st.integers(1, 3))
def test_no_load_is_more_than_a_third_above_the_best_possible(
    costs: list[int], world_size: int
) -> None:
    loads = [
        max(
            sum(
                cost for cost, place in zip(costs, places, strict=True) if place == rank
            )
            for rank in range(world_size)
        )
        for places in itertools.product(range(world_size), repeat=len(costs))
    ]
    found = assign([[float(cost)] for cost in costs], world_size, world_size)
    assert max(found.loads) <= (4 / 3 - 1 / (3 * world_size)) * min(loads) + 1e-9


def test_the_large_factors_of_resnet_50_do_not_meet_on_one_rank() -> None:
    large = [[inversion_cost(4608), inversion_cost(512)]] * 3
    small = [[inversion_cost(576), inversion_cost(64)]] * 10
    found = assign([*small, *large], world_size=4, num_workers=1)
    assert len({found.columns[layer] for layer in (10, 11, 12)}) == 3


def test_columns_and_rows_cover_the_grid_once() -> None:
    found = assign([[1.0]] * 6, world_size=6, num_workers=2)
    assert [list(found.column_ranks(each)) for each in range(3)] == [
        [0, 1],
        [2, 3],
        [4, 5],
    ]
    assert list(found.row_ranks(3)) == [1, 3, 5]
    assert found.balance == 1.0


def test_nothing_to_invert_is_in_balance() -> None:
    assert assign([], 3, 1).balance == 1.0


def test_refuses_workers_that_do_not_divide_the_ranks() -> None:
    with pytest.raises(ValueError, match="must divide the 6 ranks, got 4"):
        assign([[1.0]], world_size=6, num_workers=4)
