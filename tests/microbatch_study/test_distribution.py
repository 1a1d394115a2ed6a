import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.microbatch_study import DistributionTrials, distribute_here
from cocodesign.microbatch_study.trials import (
    PARTITION_PROBLEMS,
    WORKERS_PROBLEM,
    PartitionTrial,
    WorkersTrial,
    _at_all_sizes,
)

TRIALS = DistributionTrials(
    WorkersTrial((1.4, 1.2, 1.3), 1.5, (43, 21)),
    (
        PartitionTrial("a", "batch", {"batch": 2.0, "height": 3.0}),
        PartitionTrial("b", "height", {"batch": 2.0, "height": 3.0}),
        PartitionTrial("c", "batch", {"batch": 1.1, "height": 1.0}),
    ),
)


def test_regret_is_what_the_choice_costs_over_the_best() -> None:
    assert [each.regret for each in TRIALS.partitions] == pytest.approx([1, 1.5, 1.1])
    metrics = TRIALS.metrics()
    assert metrics["partition_regret"].values == pytest.approx((1.1,))
    assert metrics["heterogeneous_gain"].values == (1.4, 1.2, 1.3)
    table = TRIALS.tables()["partitions"]
    chosen = zip(table["layer"], table["axis"], table["is_chosen"], strict=True)
    assert [row[:2] for row in chosen if row[2]] == [
        ("a", "batch"),
        ("b", "height"),
        ("c", "batch"),
    ]


def test_json_round_trip_is_exact() -> None:
    assert DistributionTrials.from_json(TRIALS.to_json()) == TRIALS


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5, unique=True))
def test_times_between_measurements_lie_on_lines(known: list[int]) -> None:
    known = sorted(known)
    measured = [3.0 * number for number in known]
    filled = _at_all_sizes(known, measured, known[-1])
    assert filled == pytest.approx([3.0 * number for number in range(known[-1] + 1)])


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_divide_and_cut(tmp_path) -> None:
    trials = distribute_here(tmp_path, slowdown=3, num_rounds=1, limit_s=120)
    assert sum(trials.workers.num_examples) == WORKERS_PROBLEM.mini_batch_size
    assert trials.workers.num_examples[0] > trials.workers.num_examples[1]
    assert len(trials.workers.gains) == 1
    assert [each.label for each in trials.partitions] == [
        problem.label for problem in PARTITION_PROBLEMS
    ]
    for trial in trials.partitions:
        assert trial.chosen in trial.seconds
        assert min(trial.seconds.values()) > 0
