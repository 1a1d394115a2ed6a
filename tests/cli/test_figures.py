import json

import pytest

SCRIPT = """
import plotly.graph_objects as go
from cocodesign.figures import PaperFigure

FIGURE = PaperFigure(
    name="fig99_example",
    title="An example",
    notebooks=("10_example",),
    draw=lambda records: go.Figure(go.Bar(y=[1, 2])),
)
"""


@pytest.fixture
def no_chrome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")


@pytest.mark.usefixtures("no_chrome")
def test_draws_html_and_hints_at_chrome(clone, call, make_record) -> None:
    (clone.figure_scripts / "fig99_example.py").write_text(SCRIPT)
    record = make_record(1.0).to_json()
    (clone.committed_records / "10_example.laptop.json").write_text(record)
    result = call(["figures", "fig99", "--stamp", "stamp.json"])
    assert result.exit_code == 0, result.output
    assert (clone.figures / "fig99_example.html").is_file()
    assert "apt-get install chromium" in result.output
    stamp = json.loads((clone.root / "stamp.json").read_text())
    assert stamp == {"fig99_example": ["fig99_example.html"]}


@pytest.mark.usefixtures("no_chrome")
def test_a_figure_without_records_is_left_out_and_said_so(clone, call) -> None:
    (clone.figure_scripts / "fig99_example.py").write_text(SCRIPT)
    result = call(["figures"])
    assert result.exit_code == 0
    assert "left out, no record of 10_example" in result.output


@pytest.mark.slow
def test_an_unknown_figure_is_refused_with_the_known_ones(clone, call) -> None:
    (clone.figure_scripts / "fig99_example.py").write_text(SCRIPT)
    result = call(["figures", "fig98"])
    assert result.exit_code == 2
    assert "fig99_example" in result.output
