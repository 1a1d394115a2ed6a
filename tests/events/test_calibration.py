"""Probabilities and thresholds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.events.calibration import (
    Calibration,
    alarm_threshold,
    expected_calibration_error,
    tail_calibration_error,
)


def test_without_examples_a_likelihood_ratio_is_believed():
    found = Calibration.fit(np.zeros(0), np.zeros(0), share=0.1)
    assert found.probability(np.array([0.0, math.log(9)])) == pytest.approx([0.1, 0.5])


def test_finds_the_line_that_made_the_data():
    random = np.random.default_rng(0)
    # Normal classes at distance 2: the log ratio is 2 z - 2, and this one says double.
    positives = 2 * (2 * random.normal(2, 1, 4000) - 2)
    negatives = 2 * (2 * random.normal(0, 1, 36_000) - 2)
    found = Calibration.fit(positives, negatives, share=0.1)
    assert found.slope == pytest.approx(0.5, abs=0.02)
    assert found.offset == pytest.approx(math.log(1 / 9), abs=0.05)
    scores = np.concatenate([positives, negatives])
    labels = np.repeat([1, 0], [4000, 36_000])
    probabilities = found.probability(scores)
    assert expected_calibration_error(probabilities, labels) < 0.01
    tail = tail_calibration_error(probabilities, labels)
    assert tail is not None
    assert tail < 0.03


def test_a_clip_of_which_nothing_is_known_has_no_probability():
    found = Calibration(1.0, 0.0).probability(np.array([np.nan, 1e9, -1e9]))
    assert found.tolist() == pytest.approx([0, 1, 0], abs=1e-9)


def test_errors_worked_by_hand():
    probabilities = np.array([0.05, 0.05, 0.95, 0.95])
    labels = np.array([0, 0, 1, 0])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(
        (2 * 0.05 + 2 * 0.45) / 4
    )
    assert tail_calibration_error(probabilities, labels) == pytest.approx(0.45)
    assert tail_calibration_error(probabilities[:2], labels[:2]) is None


@given(st.integers(0, 2**31), st.floats(0.1, 5))
def test_false_alarms_stay_below_the_limit_in_expectation(seed, max_per_hour):
    random = np.random.default_rng(seed)
    background, hours = random.normal(size=100), 10.0
    threshold = alarm_threshold(background, hours, max_per_hour)
    place = int((background >= threshold).sum())
    # The next clip exceeds the j-th largest of n with probability j / (n + 1).
    assert place / 101 * 10 <= max_per_hour + 1e-9
    assert (place + 1) / 101 * 10 > max_per_hour or place == 100


def test_a_short_background_promises_nothing():
    assert alarm_threshold(np.zeros(5), 0.01, 1.0) == math.inf
    with pytest.raises(ValueError, match="hours must be positive"):
        alarm_threshold(np.zeros(5), 0.0, 1.0)


def test_refuses_a_share_that_is_none():
    with pytest.raises(ValueError, match="got 1"):
        Calibration.fit(np.zeros(0), np.zeros(0), share=1.0)
