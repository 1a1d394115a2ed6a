from dataclasses import replace

import pytest
from torch import nn

from cocodesign.collectives.comparison import LIBRARY, Comparison, candidates
from cocodesign.collectives.cost_model import CostModel, Tier, predict
from cocodesign.collectives.measurement import Timing
from cocodesign.studies.scaling import (
    machines_for,
    predict_latencies,
    scaling_metrics,
    scaling_tables,
    shown_schedules,
    simulate_delays,
    simulate_scaling,
)
from cocodesign.studies.step_times import Accelerator, count_volumes

MODEL = CostModel((Tier(None, 1e-4, 1e-9),))


@pytest.fixture
def comparison() -> Comparison:
    """Return times that are twice the predicted ones, the library's thrice those."""
    sizes = (1024, 65536)
    timings = [
        Timing(str(each), size, (2 * predict(MODEL, each, size),) * 3)
        for each in candidates(4)
        for size in sizes
    ]
    timings += [Timing(LIBRARY, size, (3e-3, 2e-3, 1e-3)) for size in sizes]
    choices = {1024: "one-shot [4h]", 65536: "[4h]"}
    return Comparison(4, MODEL, (), tuple(timings), choices)


@pytest.fixture(scope="module")
def points() -> list:
    return simulate_scaling(
        count_volumes(nn.Linear(8, 8)),
        machines_for(64),
        Accelerator(1e-3, 1e12),
        world_sizes=[4, 64],
        images_per_rank=2,
        global_batch_size=128,
        refresh_fraction=0.5,
    )


def test_weak_and_strong_scaling_differ_in_the_images_only(points: list) -> None:
    by_key = {
        (each.machine, each.scaling, each.schedule, each.num_ranks): each
        for each in points
    }
    assert len(by_key) == 2 * 2 * 3 * 2
    for (machine, scaling, schedule, num_ranks), point in by_key.items():
        weak = by_key[machine, "weak", schedule, num_ranks]
        assert point.times == replace(weak.times, compute_s=point.times.compute_s)
        images = 2 if scaling == "weak" else 128 / num_ranks
        assert point.times.compute_s == pytest.approx(1e-3 * images)
        assert 0 < point.efficiency < 1


def test_latency_is_won_by_the_tuned_schedule() -> None:
    seconds = {
        each.schedule: each.predicted_s for each in predict_latencies(1e-5, [4096])
    }
    assert seconds["ring"] / seconds["tuned"] > 50


def test_delays_only_slow_down() -> None:
    points = simulate_delays(machines_for(16)[1], [16], mean_delay_s=1e-5, seed=0)
    assert len(points) == 3
    assert all(each.with_s > each.without_s for each in points)


def test_metrics_say_what_was_measured_and_what_was_not(
    comparison: Comparison, points: list
) -> None:
    metrics = scaling_metrics([comparison], points, predict_latencies(1e-5, [4096]))
    assert metrics["prediction_error"].median == pytest.approx(0.5)
    assert metrics["vs_library_small"].median == pytest.approx(
        comparison.seconds("one-shot [4h]", 1024) / 2e-3
    )
    simulated = {name for name, each in metrics.items() if each.simulated}
    assert simulated == {
        "latency_speedup",
        "weak_efficiency_ring",
        "weak_efficiency_halving",
        "weak_efficiency_tuned",
    }
    assert "64 ranks" in metrics["weak_efficiency_tuned"].note


def test_tables_have_a_row_for_everything(comparison: Comparison, points: list) -> None:
    latencies = predict_latencies(1e-5, [4, 8])
    delays = simulate_delays(machines_for(4)[1], [4], mean_delay_s=0.0, seed=0)
    tables = scaling_tables([comparison], points, latencies, delays)
    assert len(tables["all_reduces"]["schedule"]) == len(comparison.timings)
    rows = zip(
        tables["all_reduces"]["schedule"],
        tables["all_reduces"]["predicted_s"],
        strict=True,
    )
    assert all((predicted is None) == (name == LIBRARY) for name, predicted in rows)
    assert len(tables["steps"]["step_s"]) == len(points)
    assert len(tables["latencies"]["levels"]) == 6


def test_shows_ends_choices_and_library_once(comparison: Comparison) -> None:
    assert shown_schedules(comparison) == ["[4]", "[4h]", "one-shot [4h]", LIBRARY]
