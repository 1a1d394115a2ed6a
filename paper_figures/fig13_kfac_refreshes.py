"""When K-FAC's statistics are refreshed: the interval after each refresh, by step."""

from collections.abc import Mapping

import plotly.graph_objects as go

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "10_kfac_convergence"
KINDS = {"A": "layer inputs", "G": "output gradients", "F": "normalisations"}


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw one line per statistic, coloured by its kind."""
    refreshes = records[NOTEBOOK].tables["refreshes"]
    figure = go.Figure()
    shown = set()
    for name in dict.fromkeys(refreshes["statistic"]):
        rows = [
            (step, interval)
            for statistic, step, interval in zip(
                refreshes["statistic"],
                refreshes["step"],
                refreshes["interval"],
                strict=True,
            )
            if statistic == name
        ]
        kind = name.rsplit("/", 1)[1]
        label = f"{kind}: {KINDS.get(kind, kind)}"
        figure.add_scatter(
            x=[step for step, _ in rows],
            y=[interval for _, interval in rows],
            mode="lines+markers",
            name=label,
            legendgroup=label,
            showlegend=label not in shown,
            line={"color": colour_of(label, list(KINDS).index(kind)), "shape": "hv"},
            marker={"size": 5},
            opacity=0.8,
            hovertemplate=f"{name}, step %{{x}}: %{{y}} steps<extra></extra>",
        )
        shown.add(label)
    figure.update_xaxes(title_text="step of the refresh")
    figure.update_yaxes(title_text="steps until the next refresh", rangemode="tozero")
    return figure


FIGURE = PaperFigure(
    name="fig13_kfac_refreshes",
    title="When stale statistics are refreshed",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
