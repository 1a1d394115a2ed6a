import pytest

from cocodesign.kfac import KFAC, StaleSchedule
from cocodesign.studies import Contender
from cocodesign.studies.designs import Setting
from cocodesign.studies.large_batch import (
    accuracy_gaps,
    follow_refreshes,
    train_to_the_end,
)
from cocodesign.studies.outcomes import Outcome, Point


def test_trainings_end_after_their_own_number_of_steps(task, build_model):
    setting = Setting(0.1, num_warmup_steps=1)
    finals = train_to_the_end(
        task,
        build_model,
        Contender.sgd(1),
        {20: setting, 240: setting},
        {20: 12, 240: 6},
        seeds=(0, 1),
    )
    assert [(f.mini_batch_size, f.seed, f.num_steps) for f in finals] == [
        (20, 0, 12),
        (240, 0, 6),
        (20, 1, 12),
        (240, 1, 6),
    ]
    assert all(len(final.curve) == 1 for final in finals)  # nothing to choose from


def test_a_gap_is_positive_where_the_large_batch_loses():
    def final(size: int, seed: int, accuracy: float) -> Outcome:
        return Outcome(
            "any", Setting(0.1), size, seed, False, (Point(1, 1, accuracy, 1),)
        )

    outcomes = [
        final(8, 0, 0.9),
        final(64, 0, 0.88),
        final(8, 1, 0.8),
        final(64, 1, 0.81),
    ]
    assert accuracy_gaps(outcomes) == pytest.approx((2.0, -1.0))
    with pytest.raises(ValueError, match=r"two mini-batch sizes, got \[8\]"):
        accuracy_gaps(outcomes[:1])


def test_refuses_sizes_that_do_not_match(task, build_model):
    with pytest.raises(ValueError, match=r"batches of \[20\], num_steps for \[30\]"):
        train_to_the_end(
            task, build_model, Contender.sgd(1), {20: Setting(0.1)}, {30: 1}, (0,)
        )


@pytest.mark.parametrize("interval", [1, 3, StaleSchedule(0.5)], ids=str)
def test_every_refresh_is_a_row(task, build_model, interval):
    table, skipped = follow_refreshes(
        task,
        build_model,
        lambda model: KFAC(model, lr=0.01, factor_interval=interval),
        mini_batch_size=240,
        num_warmup_steps=0,
        num_steps=12,
        seed=0,
    )
    names = sorted(set(table["statistic"]))
    assert names == ["weight/A", "weight/G"]
    assert skipped == pytest.approx(1 - len(table["step"]) / (12 * len(names)))
    for name in names:
        steps = [
            s
            for n, s in zip(table["statistic"], table["step"], strict=True)
            if n == name
        ]
        intervals = [
            i
            for n, i in zip(table["statistic"], table["interval"], strict=True)
            if n == name
        ]
        assert steps[0] == 0
        for step, following, each in zip(steps, steps[1:], intervals, strict=False):
            assert following == step + each
    if interval == 1:
        assert table["step"].count(5) == 2
