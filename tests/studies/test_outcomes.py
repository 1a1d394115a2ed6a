import pytest

from cocodesign.studies.designs import Setting
from cocodesign.studies.outcomes import Outcome, Point, cost_ratio


def outcome(num_steps: int, training_s: float, *, reached: bool) -> Outcome:
    middle = Point(num_steps // 2, training_s / 4, 0.9 if reached else 0.7, 1.0)
    end = Point(num_steps, training_s, 0.8 if reached else 0.6, 0.5)
    return Outcome("any", Setting(0.1), 64, 0, reached, (middle, end))


@pytest.mark.parametrize(
    ("baseline_reached", "candidate_reached", "bound"),
    [(True, True, "exact"), (False, True, "lower"), (True, False, "upper")],
)
def test_a_ratio_says_on_which_side_of_it_the_truth_is(
    baseline_reached, candidate_reached, bound
):
    baseline = outcome(120, 6.0, reached=baseline_reached)
    candidate = outcome(40, 4.0, reached=candidate_reached)
    steps = cost_ratio(baseline, candidate, "steps")
    seconds = cost_ratio(baseline, candidate, "seconds")
    assert steps is not None
    assert seconds is not None
    assert (steps.value, steps.bound) == (3.0, bound)
    assert (seconds.value, seconds.bound) == (1.5, bound)


def test_two_censored_trainings_have_no_ratio():
    pair = outcome(9, 1.0, reached=False), outcome(9, 1.0, reached=False)
    assert cost_ratio(*pair, "steps") is None


def test_an_outcome_summarises_its_curve():
    result = outcome(8, 4.0, reached=True)
    assert (result.num_steps, result.training_s) == (8, 4.0)
    assert result.best_accuracy == 0.9
    assert result.mean_step_s == 0.5
    assert result.median_step_s == (1.0 / 4 + 3.0 / 4) / 2
