from collections.abc import Callable, Iterator

import pytest

from cocodesign.files import write_atomically
from cocodesign.panels.home import Home
from cocodesign.project import Project
from cocodesign.results import RunRecord


@pytest.fixture
def home(clone: Project) -> Iterator[Home]:
    home = Home(clone)
    yield home
    home.close()


def test_a_new_clone_opens(home: Home) -> None:
    assert {verdict.status for verdict in home.judged} == {"NOT RUN"}
    assert home.figures.figure is None
    assert list(home.notebooks.rows) == ["10_example"]


def test_a_new_record_reaches_every_part(
    clone: Project, home: Home, make_record: Callable[..., RunRecord]
) -> None:
    write_atomically(clone.runs / "run/record.json", make_record(1.0).to_json())
    home.reload()
    assert home.records.notebook.value == "10_example"
    assert "1 x" in home.records.table.value


def test_a_damaged_record_is_named_and_the_page_opens(
    clone: Project, home: Home
) -> None:
    write_atomically(clone.runs / "run/record.json", "{")
    home.reload()
    assert "run/record.json" in home.verdicts.problems.value
