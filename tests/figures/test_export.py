import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

from cocodesign.figures import export_figure
from cocodesign.figures.export import find_chrome, shared_browser

needs_chrome = pytest.mark.skipif(find_chrome() is None, reason="no Chrome here")


def example() -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(x=[1, 2, 3], y=[2, 1, 3], name="line")
    figure.add_bar(x=[1, 2, 3], y=[1, 1, 2], name="bars")
    figure.add_heatmap(z=[[1, 2], [3, 4]])
    return figure


def test_html_is_self_contained_and_the_same_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "absent"))
    (first,) = export_figure(example(), "fig", tmp_path / "a")
    (second,) = export_figure(example(), "fig", tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    assert 'id="fig"' in first.read_text()
    assert not re.search(r'<script[^>]+src="http', first.read_text())


@needs_chrome
@pytest.mark.slow
def test_images_are_the_same_every_time_and_leave_the_figure_alone(
    tmp_path: Path,
) -> None:
    figure = example()
    before = figure.to_json()
    with shared_browser():
        first = export_figure(figure, "fig", tmp_path / "a")
        second = export_figure(example(), "fig", tmp_path / "b")
    assert [path.suffix for path in first] == [".html", ".svg", ".pdf", ".png"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    assert figure.to_json() == before


def test_refuses_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gif"):
        export_figure(example(), "fig", tmp_path, ["gif"])


def test_a_browser_named_in_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    browser.touch()
    monkeypatch.setenv("BROWSER_PATH", str(browser))
    assert find_chrome() == str(browser)
