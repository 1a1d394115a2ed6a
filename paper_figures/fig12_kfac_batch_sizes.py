"""Steps to the target against the batch size, with trainings that did not arrive."""

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "10_kfac_convergence"
TICKS = [5, 10, 20, 50, 100, 200, 500, 1000]


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw every race as a point, the medians as a line; perfect scaling is dotted."""
    races = records[NOTEBOOK].tables["races"]
    figure = go.Figure()
    optimizers = list(dict.fromkeys(races["optimizer"]))
    for optimizer in optimizers:
        points = _points(races, optimizer)
        colour = colour_of(optimizer)
        sizes = sorted({size for size, _, _ in points})
        figure.add_scatter(
            x=sizes,
            y=[
                _median([steps for at, steps, _ in points if at == size])
                for size in sizes
            ],
            mode="lines",
            name=optimizer,
            legendgroup=optimizer,
            line={"color": colour, "width": 2},
        )
        for reached, symbol, label in (
            (True, "circle", optimizer),
            (False, "triangle-up-open", f"{optimizer}, not reached"),
        ):
            chosen = [(size, steps) for size, steps, ok in points if ok == reached]
            if chosen:
                figure.add_scatter(
                    x=[size for size, _ in chosen],
                    y=[steps for _, steps in chosen],
                    mode="markers",
                    name=label,
                    legendgroup=optimizer,
                    showlegend=not reached,
                    marker={"color": colour, "symbol": symbol, "size": 9},
                )
    _add_perfect_scaling(figure, _points(races, optimizers[0]))
    sizes = sorted(set(races["batch_size"]))
    figure.update_xaxes(
        type="log",
        title_text="examples per step",
        tickvals=sizes,
        ticktext=[f"{size:,}" for size in sizes],
    )
    figure.update_yaxes(type="log", title_text="steps to the target", tickvals=TICKS)
    return figure


def _add_perfect_scaling(figure, points):
    """Draw what it would be if twice the examples halved the steps."""
    smallest = min(size for size, _, _ in points)
    largest = max(size for size, _, _ in points)
    start = _median([steps for size, steps, _ in points if size == smallest])
    ends = [steps for _, steps, _ in points]
    floor = min(ends) / 2
    reach = min(largest, smallest * start / floor)
    figure.add_scatter(
        x=[smallest, reach],
        y=[start, start * smallest / reach],
        mode="lines",
        name="halved steps",
        line={"color": "#999999", "dash": "dot", "width": 1},
    )


def _points(races, optimizer):
    columns = ("batch_size", "num_steps", "reached", "optimizer")
    return [
        (size, steps, reached)
        for size, steps, reached, name in zip(
            *(races[column] for column in columns), strict=True
        )
        if name == optimizer
    ]


def _median(values):
    ordered = sorted(values)
    middle = (len(ordered) - 1) / 2
    return (ordered[math.floor(middle)] + ordered[math.ceil(middle)]) / 2


FIGURE = PaperFigure(
    name="fig12_kfac_batch_sizes",
    title="Steps to the target accuracy by batch size",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
