from dataclasses import replace

import pytest

from cocodesign.collectives.cost_model import CostModel, Tier, predict
from cocodesign.collectives.fitting import Observation, fit_cost_model
from cocodesign.collectives.schedules import all_schedules

TRUE = CostModel((Tier(4, 3e-6, 1e-10), Tier(None, 2e-5, 8e-10)), 4e-11, 5e-6)


def observe(model: CostModel, error: float = 0.0) -> list[Observation]:
    schedules = list(all_schedules(8))
    schedules += [replace(each, one_shot=True) for each in schedules]
    return [
        Observation(
            schedule,
            size,
            predict(model, schedule, size) * (1 + error * (-1) ** number),
        )
        for number, schedule in enumerate(schedules)
        for size in (1_000, 100_000, 10_000_000)
    ]


def test_finds_the_quantities_that_made_the_times() -> None:
    found = fit_cost_model(observe(TRUE), [4])
    for tier, true in zip(found.tiers, TRUE.tiers, strict=True):
        assert tier.num_ranks == true.num_ranks
        assert tier.latency_s == pytest.approx(true.latency_s, rel=1e-6)
        assert tier.seconds_per_byte == pytest.approx(true.seconds_per_byte, rel=1e-6)
    assert found.seconds_per_summed_byte == pytest.approx(4e-11, rel=1e-6)
    assert found.overhead_s == pytest.approx(5e-6, rel=1e-6)


def test_errors_of_the_times_change_predictions_no_more_than_by_themselves() -> None:
    found = fit_cost_model(observe(TRUE, error=0.1), [4])
    for each in observe(TRUE):
        predicted = predict(found, each.schedule, each.num_bytes)
        assert predicted == pytest.approx(each.seconds, rel=0.1)


def test_nothing_becomes_negative() -> None:
    shrinking = [
        replace(each, seconds=1.0 / (number + 1))
        for number, each in enumerate(observe(TRUE))
    ]
    found = fit_cost_model(shrinking)
    assert found.tiers[0].latency_s >= 0
    assert found.tiers[0].seconds_per_byte >= 0


def test_refuses_too_few_observations_and_times_of_zero() -> None:
    with pytest.raises(ValueError, match=r"4 quantities need as many .* got 3"):
        fit_cost_model(observe(TRUE)[:3])
    with pytest.raises(ValueError, match=r"must be positive, got 0\.0"):
        fit_cost_model([replace(each, seconds=0.0) for each in observe(TRUE)])
