import json
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cocodesign.errors import FigureError
from cocodesign.figures.export import find_chrome
from cocodesign.files import write_atomically
from cocodesign.gallery import build_gallery
from cocodesign.gallery.executed import choose_executed
from cocodesign.project import Project
from cocodesign.results import RunRecord

_PLOTLY = "application/vnd.plotly.v1+json"

needs_chrome = pytest.mark.skipif(
    find_chrome() is None, reason="needs a Chrome or Chromium"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "clone")


def add_run(
    project: Project, name: str, record: RunRecord, *, executed: bool = True
) -> None:
    folder = project.runs / name
    write_atomically(folder / "record.json", record.to_json())
    if executed:
        figure = go.Figure(go.Scatter(y=[1, 2])).to_json()
        assert figure
        code = new_code_cell(f"# {project.root}/runs\nlook()")
        code.outputs = [new_output("display_data", {_PLOTLY: json.loads(figure)})]
        notebook = new_notebook(cells=[new_markdown_cell("# Why?\n\nSo."), code])
        write_atomically(folder / "notebook.ipynb", json.dumps(notebook))


def test_the_newest_run_at_the_largest_profile_is_shown(
    project: Project, make_record: Callable[..., RunRecord]
) -> None:
    add_run(project, "a", make_record(1.0, finished="2026-01-01"))
    add_run(project, "b", make_record(2.0, finished="2026-01-02"))
    add_run(project, "c", make_record(3.0, profile="smoke", finished="2026-01-03"))
    add_run(project, "d", make_record(4.0, profile="custom", finished="2026-01-04"))
    add_run(project, "e", make_record(5.0, finished="2026-01-05"), executed=False)
    (chosen,) = choose_executed(project.runs, without=())
    assert chosen.path == project.runs / "b" / "notebook.ipynb"
    assert choose_executed(project.runs, without=["10_example"]) == []


@needs_chrome
@pytest.mark.slow
def test_writes_light_pages_that_name_no_machine(
    project: Project, tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    add_run(project, "a", make_record(1.0))
    folder = tmp_path / "gallery"
    write_atomically(folder / "20_gone.html", "an older page")
    files = build_gallery(project, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "10_example-1.svg",
        "10_example.html",
        "index.html",
        "style.css",
    ]
    assert set(files) == set(folder.iterdir())
    page = (folder / "10_example.html").read_text()
    assert '<img src="10_example-1.svg"' in page
    assert "# runs" in page
    assert str(project.root) not in page
    assert sum(path.stat().st_size for path in files) < 60_000
    index = (folder / "index.html").read_text()
    assert "Why?" in index
    assert "NOT RUN" in index


@needs_chrome
@pytest.mark.slow
def test_the_same_runs_give_the_same_bytes(
    project: Project, tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    add_run(project, "a", make_record(1.0))
    first, second = (
        {path.name: path.read_bytes() for path in build_gallery(project, folder)}
        for folder in (tmp_path / "first", tmp_path / "second")
    )
    assert first == second


def test_without_a_chrome_it_says_what_to_install(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(FigureError, match="apt-get install chromium"):
        build_gallery(project, tmp_path / "gallery")
