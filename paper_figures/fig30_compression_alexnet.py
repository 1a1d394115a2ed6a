"""Accuracy lost by AlexNet against the compression ratio of its file."""

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "30_compression_alexnet"


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw every file of every seed, and ring those that validation chose."""
    curve = records[NOTEBOOK].tables["curve"]
    rows = [
        dict(zip(curve, row, strict=True)) for row in zip(*curve.values(), strict=True)
    ]
    figure = go.Figure()
    for index, density in enumerate(sorted(set(curve["density"]), reverse=True)):
        shown = [row for row in rows if row["density"] == density]
        figure.add_scatter(
            x=[row["compression_ratio"] for row in shown],
            y=[_drop_points(row) for row in shown],
            mode="markers",
            name=f"{100 * density:g} % kept",
            marker={"color": colour_of("", index), "size": 8},
            text=[f"seed {row['seed']}, price {row['price']:g}" for row in shown],
        )
    chosen = [row for row in rows if row["is_chosen"]]
    figure.add_scatter(
        x=[row["compression_ratio"] for row in chosen],
        y=[_drop_points(row) for row in chosen],
        mode="markers",
        name="chosen",
        marker={"symbol": "circle-open", "color": "#222222", "size": 15},
    )
    figure.add_hline(y=0, line={"color": "#222222", "width": 1})
    figure.add_vline(x=90, line={"color": "#222222", "dash": "dot", "width": 1})
    figure.add_annotation(
        text="90x, the programme on ImageNet",
        x=math.log10(90),  # annotations, unlike lines, count a log axis in decades
        y=1,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
    )
    figure.update_xaxes(
        title_text="bytes of fp32 weights over bytes of the file", type="log"
    )
    figure.update_yaxes(
        title_text="validation accuracy lost, points", autorange="reversed"
    )
    return figure


def _drop_points(row):
    return 100 * (row["dense_validation_accuracy"] - row["validation_accuracy"])


FIGURE = PaperFigure(
    name="fig30_compression_alexnet",
    title="AlexNet on Fashion-MNIST: what a smaller file costs",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
