"""Ranking by a description, by examples, and by both; by number of examples."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "40_events_fusion"
METHODS = ("zero-shot", "few-shot", "fused", "Tokyo Tech fused")
PROTOCOLS = {
    "shared": "examples show what is searched",
    "disjoint": "examples show other things",
}


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw mean average precisions, averaged over seeds and events."""
    table = records[NOTEBOOK].tables["average_precisions"]
    numbers = sorted({int(number or 0) for number in table["num_examples"]})
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, subplot_titles=list(PROTOCOLS.values())
    )
    for column, protocol in enumerate(PROTOCOLS, start=1):
        for index, method in enumerate(METHODS):
            found: dict[int, list[float]] = {}
            for name, kind, number, precision in zip(
                table["method"],
                table["protocol"],
                table["num_examples"],
                table["average_precision"],
                strict=True,
            ):
                if (name, kind) == (method, protocol):
                    found.setdefault(int(number or 0), []).append(float(precision or 0))
            means = {at: 100 * sum(each) / len(each) for at, each in found.items()}
            if method == "zero-shot":  # needs no examples
                means = dict.fromkeys(numbers, means[0])
            places = sorted(means)
            figure.add_scatter(
                x=[numbers.index(at) for at in places],
                y=[means[at] for at in places],
                mode="lines" if method == "zero-shot" else "lines+markers",
                name=method,
                line={
                    "color": colour_of(method, index),
                    "dash": "dash" if method == "zero-shot" else "solid",
                },
                showlegend=column == 1,
                row=1,
                col=column,
            )
        figure.update_xaxes(
            title_text="examples per event",
            tickvals=list(range(len(numbers))),
            ticktext=[str(number) for number in numbers],
            row=1,
            col=column,
        )
    figure.update_yaxes(
        title_text="mean average precision, %", rangemode="tozero", row=1, col=1
    )
    return figure


FIGURE = PaperFigure(
    name="fig40_events_fusion",
    title="A description, a few examples, and both",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
