from typing import Any

import comm
import plotly.graph_objects as go
import pytest

from cocodesign.panels.live_figure import LiveFigure

FIGURE = go.Figure(go.Scatter(y=[1, 2], name="first"), {"title": {"text": "Title"}})


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the states with which figures have been announced to a browser."""
    states: list[dict[str, Any]] = []
    create = comm.create_comm

    def watch(**arguments: Any) -> object:
        state = arguments["data"]["state"]
        if "_widget_data" in state:
            states.append(state)
        return create(**arguments)

    monkeypatch.setattr(comm, "create_comm", watch)
    return states


def test_is_announced_once_and_complete(announced: list[dict[str, Any]]) -> None:
    LiveFigure(FIGURE)
    (state,) = announced
    assert state["_widget_data"][0]["name"] == "first"
    assert state["_widget_layout"]["title"]["text"] == "Title"
    assert state["_config"] == {"responsive": True}


def test_changes_like_any_figure_widget() -> None:
    figure = LiveFigure(FIGURE)
    with figure.batch_update():
        figure.data[0].y = [3, 4]
        figure.layout.title.text = "Another"
    figure.add_scatter(y=[5])
    assert list(figure.data[0].y) == [3, 4]
    assert len(figure.data) == 2
