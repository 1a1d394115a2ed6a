from typing import Any

import plotly.graph_objects as go
import pytest

from cocodesign.gallery.cells import cells_html

_PLOTLY = "application/vnd.plotly.v1+json"
_VIEW = "application/vnd.jupyter.widget-view+json"
_STATE = "application/vnd.jupyter.widget-state+json"
FIGURE = go.Figure(go.Scatter(y=[1, 2])).to_plotly_json()


def notebook(
    *outputs: dict[str, Any], widgets: dict[str, Any] | None = None
) -> dict[str, Any]:
    cell = {"cell_type": "code", "metadata": {}, "source": "look()", "outputs": outputs}
    return {
        "cells": [cell],
        "metadata": {"widgets": {_STATE: {"state": widgets or {}}}},
    }


def displayed(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": {}}


@pytest.fixture
def drawn() -> list[go.Figure]:
    return []


def test_markdown_and_code_come_in_their_order() -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Why?"},
        *notebook()["cells"],
    ]
    text = cells_html({"cells": cells, "metadata": {}}, lambda _: "")
    assert text.index("<h1>Why?</h1>") < text.index("look()")


def test_parameters_are_named_as_such() -> None:
    found = notebook()
    found["cells"][0]["metadata"] = {"tags": ["injected-parameters"]}
    assert "parameters of this run" in cells_html(found, lambda _: "")


def test_a_figure_is_drawn_where_it_stood(drawn: list[go.Figure]) -> None:
    output = displayed({_PLOTLY: FIGURE, "text/plain": "Figure()"})
    text = cells_html(
        notebook(output), lambda figure: drawn.append(figure) or "<img here>"
    )
    assert "<img here>" in text
    assert "Figure()" not in text
    assert list(drawn[0].data[0].y) == [1, 2]


def test_the_figures_of_a_panel_are_drawn_as_they_stood(drawn: list[go.Figure]) -> None:
    widgets = {
        "box": {"state": {"children": ["IPY_MODEL_figure", "IPY_MODEL_slider"]}},
        "slider": {"state": {"value": 1}},
        "figure": {
            "state": {
                "_widget_data": FIGURE["data"],
                "_widget_layout": FIGURE["layout"],
            }
        },
    }
    output = displayed({_VIEW: {"model_id": "box"}, "text/plain": "Box()"})
    text = cells_html(
        notebook(output, widgets=widgets),
        lambda figure: drawn.append(figure) or "<img here>",
    )
    assert "interactive panel" in text
    assert "<img here>" in text
    assert len(drawn) == 1


def test_a_panel_whose_numbers_are_binary_is_only_named(
    drawn: list[go.Figure],
) -> None:
    state = {"_widget_data": FIGURE["data"], "_widget_layout": {}}
    widgets = {"figure": {"state": state, "buffers": [{"data": ""}]}}
    output = displayed({_VIEW: {"model_id": "figure"}})
    text = cells_html(
        notebook(output, widgets=widgets), lambda figure: drawn.append(figure) or ""
    )
    assert "interactive panel" in text
    assert not drawn


def test_prints_errors_and_plain_values_are_escaped() -> None:
    text = cells_html(
        notebook(
            {"output_type": "stream", "text": "1 < 2\n"},
            {"output_type": "error", "traceback": ["\x1b[31mValueError\x1b[0m: a > b"]},
            displayed({"text/plain": "<object>"}),
        ),
        lambda _: "",
    )
    for part in ("1 &lt; 2", "ValueError: a &gt; b", "&lt;object&gt;"):
        assert part in text
