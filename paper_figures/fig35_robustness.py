"""Accuracy under attack of three networks, two of them of equal bytes."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "35_robustness_arms"
_ARMS = ("dense", "compressed", "compact")


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw accuracy against the size of the change, and against bytes; all seeds."""
    tables = records[NOTEBOOK].tables
    figure = make_subplots(
        rows=1,
        cols=3,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=[
            "trained as usual",
            "trained under attack",
            "under attack, by bytes",
        ],
    )
    curves = tables["curves"]
    for row in range(len(curves["arm"])):
        new_line = curves["radius"][row] == 0
        if not new_line:
            continue
        arm, training = curves["arm"][row], curves["training"][row]
        end = row + 1
        while end < len(curves["arm"]) and curves["radius"][end] > 0:
            end += 1
        is_first = training == "natural" and curves["seed"][row] == curves["seed"][0]
        figure.add_scatter(
            x=list(curves["radius"][row:end]),
            y=list(curves["accuracy"][row:end]),
            mode="lines",
            name=arm,
            legendgroup=arm,
            showlegend=is_first,
            line={"color": colour_of(arm, _ARMS.index(arm)), "width": 2},
            opacity=0.8,
            row=1,
            col=1 if training == "natural" else 2,
        )
    _draw_bytes(figure, tables["arms"])
    figure.update_xaxes(title_text="largest change of a pixel", row=1, col=1)
    figure.update_xaxes(title_text="largest change of a pixel", row=1, col=2)
    figure.update_xaxes(title_text="bytes of the file", type="log", row=1, col=3)
    figure.update_yaxes(
        title_text="test accuracy", tickformat=".0%", range=[0, 1], row=1, col=1
    )
    return figure


def _draw_bytes(figure: go.Figure, arms: Mapping[str, list]) -> None:
    for arm, training, size, accuracy in zip(
        arms["arm"],
        arms["training"],
        arms["file_bytes"],
        arms["robust_accuracy"],
        strict=True,
    ):
        figure.add_scatter(
            x=[size],
            y=[accuracy],
            mode="markers",
            showlegend=False,
            marker={
                "color": colour_of(arm, _ARMS.index(arm)),
                "size": 10,
                "symbol": "circle" if training == "adversarial" else "circle-open",
            },
            hovertemplate=f"{arm}, {training}: %{{y:.1%}}<extra></extra>",
            row=1,
            col=3,
        )


FIGURE = PaperFigure(
    name="fig35_robustness",
    title="Small networks under attack (filled: trained under attack)",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
