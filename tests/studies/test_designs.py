import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.studies.designs import Box, Setting

BOX = Box((1e-3, 1.0), (0.8, 0.98), (0, 20), damping=(1e-4, 1e-1))


@given(num_trials=st.integers(1, 40), seed=st.integers(0, 10))
def test_settings_stay_in_their_box(num_trials, seed):
    for setting in BOX.settings(num_trials, seed):
        assert 1e-3 <= setting.learning_rate <= 1.0
        assert 0.8 <= setting.momentum <= 0.98
        assert 0 <= setting.num_warmup_steps <= 20
        assert 1e-4 <= setting.damping <= 1e-1


def test_every_value_is_spread_over_its_whole_range():
    settings = BOX.settings(8, seed=0)
    places = {
        "learning rate": [math.log10(each.learning_rate) / 3 + 1 for each in settings],
        "damping": [math.log10(each.damping) / 3 + 4 / 3 for each in settings],
        "momentum": [
            math.log((1 - each.momentum) / 0.02) / math.log(10) for each in settings
        ],
    }
    for name, values in places.items():
        eighths = sorted(int(8 * value) for value in values)
        assert eighths == list(range(8)), name  # as a Latin square: one in each


def test_a_longer_design_begins_with_the_shorter_one():
    assert BOX.settings(12, seed=3)[:5] == BOX.settings(5, seed=3)


def test_a_design_is_a_function_of_its_seed():
    assert BOX.settings(4, seed=1) == BOX.settings(4, seed=1)
    assert BOX.settings(4, seed=1) != BOX.settings(4, seed=2)


def test_optimizers_without_damping_get_none():
    box = Box((0.1, 1.0), (0.9, 0.9), (5, 5))
    (setting,) = box.settings(1, seed=0)
    assert setting.damping is None
    assert astuple(setting)[1:3] == (pytest.approx(0.9), 5)


def test_a_setting_sums_itself_up():
    text = Setting(0.3, 0.9, 5, 1e-3).summary
    assert text == "lr 0.3, momentum 0.9, warm-up 5, damping 0.001"
    assert Setting(0.3).summary == "lr 0.3, momentum 0.9, warm-up 5"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": (0.0, 1.0)}, "learning_rate must rise from above 0"),
        ({"damping": (1.0, 0.1)}, "damping must rise from above 0"),
        ({"momentum": (0.5, 1.0)}, r"momentum must rise within \[0, 1\)"),
        ({"num_warmup_steps": (3, 2)}, "num_warmup_steps must rise from 0"),
    ],
)
def test_refuses_a_box_without_inside(change, message):
    sides = {
        "learning_rate": (0.1, 1.0),
        "momentum": (0.8, 0.9),
        "num_warmup_steps": (0, 1),
    }
    with pytest.raises(ValueError, match=message):
        Box(**{**sides, **change})


def test_refuses_to_try_nothing():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        BOX.settings(0, seed=0)
