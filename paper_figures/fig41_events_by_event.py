"""Which events are found by their description, and what an example adds to it.

Examples are shared ones; each event has as many as the smallest number tried, k.
"""

from collections.abc import Mapping

import plotly.graph_objects as go

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "40_events_fusion"


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw each event's average precision without examples and with the fewest."""
    tables = records[NOTEBOOK].tables
    names = dict(zip(tables["kits"]["event"], tables["kits"]["name"], strict=True))
    table = tables["average_precisions"]
    found: dict[tuple[str, int], dict[str, list[float]]] = {}
    for method, protocol, number, event, precision in zip(
        table["method"],
        table["protocol"],
        table["num_examples"],
        table["event"],
        table["average_precision"],
        strict=True,
    ):
        if protocol == "shared":
            cell = found.setdefault((str(method), int(number or 0)), {})
            cell.setdefault(str(event), []).append(float(precision or 0))
    fewest = min(number for method, number in found if method == "few-shot")
    alone = _means(found["zero-shot", 0])
    events = sorted(alone, key=alone.__getitem__)
    labels = [str(names[event]) for event in events]
    figure = go.Figure()
    conditions = {
        "the description alone": ("zero-shot", 0, "circle-open"),
        f"few-shot, k = {fewest}": ("few-shot", fewest, "x-thin-open"),
        f"fused, k = {fewest}": ("fused", fewest, "circle"),
    }
    for index, (title, (method, number, symbol)) in enumerate(conditions.items()):
        means = _means(found[method, number])
        figure.add_scatter(
            x=[means[event] for event in events],
            y=labels,
            mode="markers",
            name=title,
            marker={
                "size": 10,
                "symbol": symbol,
                "color": colour_of(method, index),
                "line": {"width": 2},
            },
        )
    figure.update_xaxes(title_text="average precision, %", range=[0, 102])
    figure.update_yaxes(automargin=True)
    return figure


def _means(by_event: Mapping[str, list[float]]) -> dict[str, float]:
    return {event: 100 * sum(each) / len(each) for event, each in by_event.items()}


FIGURE = PaperFigure(
    name="fig41_events_by_event",
    title="What an example adds to a description",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
