from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import pytest

from cocodesign.errors import FigureError
from cocodesign.figures import PaperFigure, draw_figure, load_figures
from cocodesign.figures.paper import select_records
from cocodesign.project import Project
from cocodesign.results import RunRecord

FIGURE = PaperFigure(
    name="fig99_example",
    title="An example",
    notebooks=("10_example",),
    draw=lambda records: go.Figure(
        go.Bar(y=list(records["10_example"].metrics["ratio"].values))
    ),
)


def save(record: RunRecord, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(record.to_json())


def test_the_caption_names_run_profile_and_commit(
    make_record: Callable[..., RunRecord],
) -> None:
    record = make_record(1.0, 2.0)
    drawn = draw_figure(FIGURE, {"10_example": record})
    assert list(drawn.data[0].y) == [1.0, 2.0]
    caption = drawn.layout.annotations[0].text.replace("<br>", " ")
    assert record.run_id in caption
    assert "profile laptop" in caption
    assert "0123456789" in caption


def test_a_missing_record_is_named_with_the_command_that_makes_it() -> None:
    with pytest.raises(FigureError, match="cocodesign run 10_example"):
        draw_figure(FIGURE, {})


def test_a_record_of_another_version_is_named_with_what_it_lacks(
    make_record: Callable[..., RunRecord],
) -> None:
    figure = PaperFigure(
        name="fig98_newer",
        title="Newer",
        notebooks=("10_example",),
        draw=lambda records: go.Figure(records["10_example"].tables["later"]),
    )
    record = make_record(1.0)
    with pytest.raises(FigureError, match="'later', which the record of"):
        draw_figure(figure, {"10_example": record})


def test_a_run_of_this_machine_goes_before_the_committed_record(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    project = Project(tmp_path)
    committed = make_record(1.0, finished="2026-05-01T00:00:00+00:00")
    save(committed, project.committed_records / "10_example.laptop.json")
    assert select_records(FIGURE, project, None) == {"10_example": committed}
    own = make_record(2.0)
    save(own, project.runs / "10_example-laptop" / "record.json")
    assert select_records(FIGURE, project, None) == {"10_example": own}
    assert select_records(FIGURE, project, "gpu") == {}


def test_every_script_holds_the_figure_of_its_name(tmp_path: Path) -> None:
    scripts = Project(tmp_path).figure_scripts
    scripts.mkdir()
    (scripts / "fig01_nothing.py").write_text("FIGURE = 1\n")
    with pytest.raises(FigureError, match="fig01_nothing"):
        load_figures(Project(tmp_path))
