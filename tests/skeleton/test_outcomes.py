import pytest
from scipy.stats import binomtest

from cocodesign.skeleton.outcomes import Answer, Evaluation, wilson_interval


def evaluation(variant: str, rows: list[tuple[int, int, bool, str]]) -> Evaluation:
    """Return an evaluation of rows: seed, clip, whether right, damage."""
    answers = tuple(
        Answer(seed, "fold", clip, label=1, answer=int(right), damage=damage)
        for seed, clip, right, damage in rows
    )
    return Evaluation("some", variant, 2, 10, 1.0, answers)


def test_accuracies_are_those_of_each_seed_over_all_folds() -> None:
    found = evaluation(
        "a",
        [(0, 0, True, ""), (0, 1, False, ""), (5, 0, True, ""), (5, 1, True, "")],
    )
    assert found.seeds == (0, 5)
    assert found.accuracies() == (0.5, 1.0)
    assert found.clip_interval().value == 0.75


def test_a_loss_is_what_a_damage_costs_seed_by_seed() -> None:
    found = evaluation(
        "a",
        [
            *[(0, clip, True, "") for clip in range(4)],
            *[(0, clip, clip > 0, "an arm") for clip in range(4)],
        ],
    )
    assert found.damages == ("an arm",)
    assert found.losses("an arm") == (0.25,)
    with pytest.raises(ValueError, match="no clip was damaged by 'a leg'"):
        found.losses("a leg")


@pytest.mark.parametrize(("right", "num"), [(0, 5), (5, 5), (279, 282), (140, 199)])
def test_wilsons_interval_is_scipys(right: int, num: int) -> None:
    expected = binomtest(right, num).proportion_ci(method="wilson")
    found = wilson_interval(right / num, num)
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)


def test_refuses_fractions_beyond_one() -> None:
    with pytest.raises(ValueError, match=r"fraction 1.5 of 3 trials"):
        wilson_interval(1.5, 3)


def test_a_paired_advantage_excludes_zero_where_every_clip_agrees() -> None:
    good = evaluation("a", [(0, clip, clip % 10 > 0, "") for clip in range(100)])
    bad = evaluation("b", [(0, clip, clip % 10 > 4, "") for clip in range(100)])
    advantage = good.advantage_over(bad)
    assert advantage.value == pytest.approx(0.4)
    assert 0.25 < advantage.low < 0.4 < advantage.high < 0.55
    assert bad.advantage_over(good).high < 0
    assert good.advantage_over(good).low == 0


def test_only_the_same_clips_are_compared() -> None:
    one = evaluation("a", [(0, 0, True, "")])
    other = evaluation("b", [(0, 1, True, "")])
    with pytest.raises(ValueError, match="different clips"):
        one.advantage_over(other)


def test_the_confusion_counts_undamaged_answers() -> None:
    found = evaluation("a", [(0, 0, True, ""), (0, 1, False, ""), (0, 0, False, "x")])
    assert found.confusion() == [[0, 0], [1, 1]]
