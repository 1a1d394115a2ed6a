"""The measures of event detection."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cocodesign.events import score_trials
from cocodesign.events.scoring import (
    average_precision,
    detection_cost,
    inferred_average_precision,
    mean_average_precision,
    miss_rate_at,
)
from cocodesign.events.trials import Trials
from tests.references import event_measures as reference

scored_labels = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from([1, 0, 0, -1])),
    min_size=1,
    max_size=25,
)


def columns(pairs):
    scores = np.array([score / 8 for score, _ in pairs])
    return scores, np.array([label for _, label in pairs], np.int8)


@given(scored_labels)
def test_average_precisions_equal_their_definitions(pairs):
    scores, labels = columns(pairs)
    assume((labels == 1).any())
    expected = reference.average_precision(scores, labels)
    assert average_precision(scores, labels) == pytest.approx(expected)
    expected = reference.inferred_average_precision(scores, labels)
    assert inferred_average_precision(scores, labels) == pytest.approx(expected)


@given(scored_labels)
def test_miss_rate_and_cost_equal_a_search_over_thresholds(pairs):
    scores, labels = columns(pairs)
    assume((labels == 1).any())
    trials = Trials.grid([str(n) for n in range(len(pairs))], ["E"], labels[:, None])
    thresholds = [*set(scores), 9.0]
    rates = [reference.error_rates(scores, labels, each) for each in thresholds]
    found = score_trials(trials, scores)["E"]
    assert found.miss_rate == pytest.approx(min(m for m, a in rates if a <= 0.06))
    costs = [m + a * 0.999 / 0.08 for m, a in rates]
    assert found.min_ndc == pytest.approx(min(costs))


def test_a_case_worked_by_hand():
    trials = Trials.grid("abcde", ["E"], np.array([[0], [1], [0], [1], [0]]))
    found = score_trials(trials, np.array([5.0, 4, 3, 2, 1]), {"E": 4.0})["E"]
    assert found.average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.r0 == pytest.approx(1 / 2 - 12.5 * 2 / 5)
    assert found.ndc == pytest.approx(1 / 2 + (1 / 3) * 0.999 / 0.08)
    assert found.num_positives == 2


def test_equal_scores_earn_nothing_from_the_order_of_the_file():
    labels = np.array([1] * 5 + [0] * 95)
    assert average_precision(np.zeros(100), labels) == pytest.approx(
        np.mean([k / (95 + k) for k in range(1, 6)])
    )


def test_one_positive_and_no_positive():
    assert average_precision(np.array([0.1, 0.9]), np.array([1, 0])) == 0.5
    with pytest.raises(ValueError, match="without a positive"):
        average_precision(np.zeros(2), np.zeros(2, int))
    with pytest.raises(ValueError, match="without a positive"):
        inferred_average_precision(np.zeros(2), np.zeros(2, int))
    trials = Trials.grid("ab", ["E1", "E2"], np.array([[1, 0], [0, 0]]))
    scored = score_trials(trials, np.array([1.0, 0, 1, 0]))
    assert list(scored) == ["E1"]
    assert mean_average_precision(scored) == 1


def test_a_clip_that_cannot_be_decoded_comes_last_and_counts():
    labels = np.array([1, 1, 0, 0])
    scores = np.array([np.nan, 0.9, 0.5, 0.1])
    assert average_precision(scores, labels) == pytest.approx((1 + 2 / 4) / 2)
    assert miss_rate_at(scores, labels, 0.99) == 0.5


def test_the_cost_is_one_for_saying_no_and_twelve_and_a_half_for_saying_yes():
    assert detection_cost(0.0, 0.0) == 0
    assert detection_cost(1.0, 0.0) == 1
    assert detection_cost(0.0, 1.0) == pytest.approx(12.4875)


def test_refuses_scores_that_do_not_fit_the_trials():
    trials = Trials.grid("ab", ["E"], np.array([[1], [0]]))
    with pytest.raises(ValueError, match="2 trials, but 3 scores"):
        score_trials(trials, np.zeros(3))


def test_agrees_with_trec_eval():
    pytrec_eval = pytest.importorskip("pytrec_eval")
    random = np.random.default_rng(0)
    for event in range(5):
        labels = random.choice([1, 0, -1], size=200, p=[0.1, 0.5, 0.4])
        scores = random.random(200) + labels * 0.2  # without ties
        names = [f"d{n}" for n in range(200)]
        judged = dict(zip(names, map(int, labels), strict=True))
        run = {"q": dict(zip(names, map(float, scores), strict=True))}
        measured = pytrec_eval.RelevanceEvaluator({"q": judged}, {"infAP"}).evaluate(
            run
        )
        assert inferred_average_precision(scores, labels) == pytest.approx(
            measured["q"]["infAP"], abs=1e-6
        ), event
        known = {name: label for name, label in judged.items() if label >= 0}
        run = {"q": {name: run["q"][name] for name in known}}
        measured = pytrec_eval.RelevanceEvaluator({"q": known}, {"map"}).evaluate(run)
        assert average_precision(scores, labels) == pytest.approx(measured["q"]["map"])


@pytest.mark.slow
def test_two_million_trials_are_scored_in_seconds():
    random = np.random.default_rng(1)
    labels = (random.random((100_000, 20)) < 0.001).astype(np.int8)
    trials = Trials.grid(
        [f"c{n}" for n in range(100_000)], [f"E{n}" for n in range(20)], labels
    )
    scores = trials.scores_from_grid(labels + random.random(labels.shape))
    assert mean_average_precision(score_trials(trials, scores)) == 1
