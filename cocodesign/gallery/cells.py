"""The cells of an executed notebook as HTML."""

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

import plotly.graph_objects as go

from cocodesign.gallery.text import code_html, markdown_html, printed_html

_PLOTLY = "application/vnd.plotly.v1+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_WIDGETS = "application/vnd.jupyter.widget-state+json"
_PANEL = (
    "<p class='panel'>Here the notebook has an interactive panel: "
    "<code>make lab</code> opens it.</p>"
)

Draw = Callable[[go.Figure], str]
"""Puts a figure beside the page, and returns the HTML that shows it."""


def cells_html(notebook: Mapping[str, Any], draw: Draw) -> str:
    """Return a notebook's cells as HTML; code opens with a click.

    Args:
        notebook: The executed notebook, read from its JSON.
        draw: Called with each figure.

    Returns:
        The HTML.
    """
    widgets = notebook["metadata"].get("widgets", {}).get(_WIDGETS, {}).get("state", {})
    parts: list[str] = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(markdown_html(source))
        elif cell["cell_type"] == "code" and source.strip():
            parts.append(_code(source, cell["metadata"].get("tags", [])))
            for output in cell["outputs"]:
                parts.extend(_output(output, widgets, draw))
    return "\n".join(parts)


def _code(source: str, tags: list[str]) -> str:
    title = escape(source.strip().split("\n")[0])
    if "parameters" in tags:
        title = "parameters"
    elif "injected-parameters" in tags:
        title = "parameters of this run"
    return (
        f"<details class='code'><summary><code>{title}</code></summary>"
        f"<pre>{code_html(source)}</pre></details>"
    )


def _output(
    output: Mapping[str, Any], widgets: Mapping[str, Any], draw: Draw
) -> Iterator[str]:
    kind = output["output_type"]
    if kind == "stream":
        yield printed_html("".join(output["text"]))
    elif kind == "error":
        yield printed_html("\n".join(output["traceback"]))
    else:
        yield from _display(output["data"], widgets, draw)


def _display(
    data: Mapping[str, Any], widgets: Mapping[str, Any], draw: Draw
) -> Iterator[str]:
    """Show the best of an output's forms that needs no script."""
    if _PLOTLY in data:
        yield draw(go.Figure(data[_PLOTLY]))
    elif _WIDGET in data:
        yield _PANEL
        for figure in _figures(data[_WIDGET]["model_id"], widgets):
            yield draw(figure)
    elif "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        yield f"<img alt='' src='data:image/png;base64,{picture}'>"
    elif "text/html" in data:
        yield "".join(data["text/html"])
    elif "text/plain" in data:
        yield printed_html("".join(data["text/plain"]))


def _figures(model_id: str, widgets: Mapping[str, Any]) -> Iterator[go.Figure]:
    """Find the figures below a widget, as they stood when the notebook ended.

    One whose numbers the kernel sent in binary is passed over.

    Yields:
        The figures.
    """
    model = widgets.get(model_id, {})
    state = model.get("state", {})
    if state.get("_widget_data") and not model.get("buffers"):
        yield go.Figure(state["_widget_data"], state["_widget_layout"])
    for child in state.get("children", []):
        yield from _figures(str(child).removeprefix("IPY_MODEL_"), widgets)
