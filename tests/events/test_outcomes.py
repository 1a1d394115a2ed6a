"""Means, gains and the regret, on tables that can be checked by eye."""

import pytest

from cocodesign.events.outcomes import (
    Outcome,
    bootstrap_gain,
    gain,
    mean_by_condition,
    outcome_metrics,
    outcome_tables,
    regret,
    zero_shot_ratio,
)


def outcomes(seed: int = 0, shift: float = 0.0) -> list[Outcome]:
    """Return two events, three methods, both protocols, one example."""
    values = {
        ("zero-shot", "shared", 0): (0.4, 0.6),
        ("zero-shot", "disjoint", 0): (0.4, 0.6),
        ("Tokyo Tech zero-shot", "shared", 0): (0.2, 0.3),
        ("fused", "shared", 0): (0.4, 0.6),
        ("fused", "disjoint", 0): (0.4, 0.6),
        ("few-shot", "shared", 1): (0.7, 0.5),
        ("few-shot", "disjoint", 1): (0.1, 0.1),
        ("fused", "shared", 1): (0.8 + shift, 0.6 + shift),
        ("fused", "disjoint", 1): (0.3, 0.6),
    }
    return [
        Outcome(method, protocol, number, seed, dict(zip("AB", pair, strict=True)))
        for (method, protocol, number), pair in values.items()
    ]


def test_means_are_over_events_and_seeds() -> None:
    table = mean_by_condition([*outcomes(0), *outcomes(1, shift=0.1)])
    assert table["fused", "shared", 1] == pytest.approx(0.75)


def test_the_gain_is_over_the_better_single_detector() -> None:
    assert gain(outcomes(), "shared", 1) == pytest.approx(10)  # few-shot has 0.6
    assert gain(outcomes(), "disjoint", 1) == pytest.approx(-5)  # zero-shot has 0.5


def test_regret_is_the_worst_loss_of_all_conditions() -> None:
    assert regret(outcomes()) == pytest.approx(5)


def test_the_interval_of_the_gain_holds_the_gain() -> None:
    low, high = bootstrap_gain(outcomes(), "shared", 1, seed=0)
    assert (low, high) == pytest.approx((10, 10))  # both events gain ten
    low, high = bootstrap_gain(outcomes(), "disjoint", 1, seed=0)
    assert (low, high) == pytest.approx((-10, 0))


def test_metrics_have_a_value_per_seed() -> None:
    found = outcome_metrics([*outcomes(0), *outcomes(1, shift=0.1)])
    assert found["gain_shared_k1"].values == pytest.approx((10, 20))
    assert found["regret"].values == pytest.approx((5, 5))
    assert found["map_few_shot_shared_k1"].values == pytest.approx((60, 60))
    assert found["zero_shot_vs_tokyotech"].values == pytest.approx((2, 2))
    assert zero_shot_ratio(outcomes()) == pytest.approx(2)


def test_the_table_has_a_row_per_event_and_condition() -> None:
    table = outcome_tables(outcomes())["average_precisions"]
    assert {len(column) for column in table.values()} == {2 * 9}
    assert table["average_precision"][-1] == 0.6
