from dataclasses import replace

import pytest

from cocodesign.studies import Rules, comparison_metrics, comparison_tables
from cocodesign.studies.comparison import Comparison
from cocodesign.studies.designs import Setting
from cocodesign.studies.outcomes import Outcome, Point

RULES = Rules(
    target_accuracy=0.8,
    mini_batch_sizes=(64,),
    evaluation_intervals=(1,),
    seeds=(0, 1),
    max_steps=100,
)


def race(name: str, seed: int, num_steps: int, *, reached: bool = True) -> Outcome:
    curve = (
        Point(num_steps // 2, num_steps / 8, 0.5, float("nan")),
        Point(num_steps, num_steps / 4, 0.8 if reached else 0.7, 0.4),
    )
    damping = 0.01 if name == "K-FAC" else None
    return Outcome(name, Setting(0.1, damping=damping), 64, seed, reached, curve)


EXACT = Comparison(
    RULES,
    (race("SGD", 9, 10),),
    (
        race("SGD", 0, 60),
        race("K-FAC", 0, 20),
        race("SGD", 1, 80),
        race("K-FAC", 1, 40),
    ),
)


def test_ratios_are_the_baseline_over_the_candidate_seed_by_seed():
    metrics = comparison_metrics(EXACT, baseline="SGD", candidate="K-FAC")
    assert metrics["steps_ratio_batch_64"].values == (3.0, 2.0)
    assert metrics["seconds_ratio_batch_64"].values == (3.0, 2.0)
    assert metrics["step_time_ratio_batch_64"].values == (1.0, 1.0)
    assert metrics["steps_sgd_batch_64"].values == (60.0, 80.0)
    assert metrics["steps_kfac_batch_64"].values == (20.0, 40.0)
    assert not any(metric.note for metric in metrics.values())


def test_a_baseline_that_was_cut_off_gives_a_lower_bound_that_says_so():
    late = race("SGD", 1, 100, reached=False)
    comparison = replace(EXACT, races=(*EXACT.races[:2], late, EXACT.races[3]))
    metrics = comparison_metrics(comparison, baseline="SGD", candidate="K-FAC")
    assert metrics["steps_ratio_batch_64"].values == (3.0, 2.5)
    assert metrics["steps_ratio_batch_64"].note == "1 of 2 seeds give a lower bound"
    assert metrics["steps_sgd_batch_64"].note.startswith("1 of 2 seeds did not reach")


@pytest.mark.parametrize("baseline_reached", [True, False])
def test_a_candidate_that_was_cut_off_gives_no_ratio(baseline_reached):
    pair = (
        race("SGD", 1, 100, reached=baseline_reached),
        race("K-FAC", 1, 100, reached=False),
    )
    comparison = replace(EXACT, races=(*EXACT.races[:2], *pair))
    metrics = comparison_metrics(comparison, baseline="SGD", candidate="K-FAC")
    assert "steps_ratio_batch_64" not in metrics
    assert "seconds_ratio_batch_64" not in metrics
    assert "did not reach it in 100 steps" in metrics["steps_kfac_batch_64"].note


def test_tables_have_a_row_per_evaluation_race_and_trial():
    tables = comparison_tables(EXACT)
    sizes = {
        name: {len(column) for column in table.values()}
        for name, table in tables.items()
    }
    assert sizes == {"curves": {8}, "races": {4}, "trials": {1}}
    assert tables["curves"]["test_accuracy"][:2] == [0.5, 0.8]
    assert tables["races"]["damping"] == [None, 0.01, None, 0.01]


def test_a_loss_that_is_not_a_number_is_recorded_as_unknown():
    assert comparison_tables(EXACT)["curves"]["loss"][:2] == [None, 0.4]
