import dataclasses
from collections.abc import Callable

import pytest

from cocodesign.panels.home.records import RecordsPanel, compare
from cocodesign.results import Measurement, RunRecord


@pytest.fixture
def pair(make_record: Callable[..., RunRecord]) -> list[RunRecord]:
    old = make_record(1.0, finished="2026-01-01T00:00:00+00:00")
    new = make_record(2.0, 4.0, finished="2026-01-02T00:00:00+00:00")
    return [
        dataclasses.replace(new, parameters={"seed": 0, "rate": 0.1}),
        old,
    ]


def test_lines_say_where_records_differ(pair: list[RunRecord]) -> None:
    lines = {line.name: line for line in compare(pair)}
    assert not lines["seed"].differs
    assert lines["rate"].texts == ("0.1", "")
    assert lines["rate"].differs
    assert lines["ratio"].texts == ("3 x (2 to 4)", "1 x")


def test_measurements_that_only_look_alike_differ(pair: list[RunRecord]) -> None:
    changed = {"ratio": Measurement((1.0 + 1e-9,), "x")}
    nearly = dataclasses.replace(pair[1], metrics=changed)
    (line,) = [each for each in compare([pair[1], nearly]) if each.name == "ratio"]
    assert line.texts[0] == line.texts[1]
    assert line.differs


def test_the_newest_two_are_shown_first(
    pair: list[RunRecord], make_record: Callable[..., RunRecord]
) -> None:
    panel = RecordsPanel()
    oldest = make_record(9.0, finished="2025-01-01T00:00:00+00:00")
    panel.show([oldest, *reversed(pair)])
    assert len(panel.chosen.options) == 3
    assert [label[:10] for label in panel.chosen.value] == ["2026-01-02", "2026-01-01"]
    assert "3 x (2 to 4)" in panel.table.value


def test_lines_that_agree_can_be_shown_too(pair: list[RunRecord]) -> None:
    panel = RecordsPanel()
    panel.show(pair)
    assert "seed" not in panel.table.value
    panel.only_differences.value = False
    assert "seed" in panel.table.value


def test_one_record_is_shown_whole(pair: list[RunRecord]) -> None:
    panel = RecordsPanel()
    panel.show(pair)
    panel.chosen.value = panel.chosen.options[:1]
    assert "seed" in panel.table.value


def test_choosing_another_notebook_offers_its_records(
    pair: list[RunRecord], make_record: Callable[..., RunRecord]
) -> None:
    panel = RecordsPanel()
    panel.show([*pair, make_record(5.0, notebook="20_other")])
    panel.notebook.value = "20_other"
    assert len(panel.chosen.options) == 1
    assert "5 x" in panel.table.value


def test_what_is_chosen_stays_chosen_when_a_run_ends(
    pair: list[RunRecord], make_record: Callable[..., RunRecord]
) -> None:
    panel = RecordsPanel()
    panel.show(pair)
    panel.chosen.value = panel.chosen.options[1:]
    panel.show([*pair, make_record(7.0, finished="2026-01-03T00:00:00+00:00")])
    assert [label[:10] for label in panel.chosen.value] == ["2026-01-01"]


def test_an_empty_clone_says_so() -> None:
    panel = RecordsPanel()
    panel.show([])
    assert "No record" in panel.table.value
