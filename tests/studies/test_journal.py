from dataclasses import replace

import pytest

from cocodesign.errors import RecordError
from cocodesign.studies import Journal
from cocodesign.studies.designs import Setting
from cocodesign.studies.outcomes import Outcome, Point
from cocodesign.studies.race import Race

RACE = Race(50, 1, "test", 0.9, 10, 5)
SETTING = Setting(0.1, damping=1e-3)
OUTCOME = Outcome("any", SETTING, 50, 1, True, (Point(5, 0.5, 0.95, float("nan")),))


def test_what_was_added_is_found_by_the_next_process(tmp_path):
    path = tmp_path / "deep" / "journal.json"
    Journal(path).add(RACE, OUTCOME)
    found = Journal(path).find("any", SETTING, RACE)
    assert found is not None
    assert replace(found, curve=()) == replace(OUTCOME, curve=())
    assert repr(found) == repr(OUTCOME)  # a loss that is not a number included


@pytest.mark.parametrize(
    "other",
    [
        ("another", SETTING, RACE),
        ("any", replace(SETTING, momentum=0.8), RACE),
        ("any", SETTING, replace(RACE, max_steps=11)),
        ("any", SETTING, replace(RACE, split="validation")),
    ],
)
def test_another_training_is_not_found(tmp_path, other):
    journal = Journal(tmp_path / "journal.json")
    journal.add(RACE, OUTCOME)
    assert journal.find(*other) is None


@pytest.mark.parametrize("text", ["", "[1]", '[{"key": "a"}]'])
def test_refuses_another_file(tmp_path, text):
    path = tmp_path / "journal.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"no journal of a study .*: remove it"):
        Journal(path)
