"""Gain over torch's convolution by workspace limit, with and without dividing."""

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "20_microbatch_workspace"
KINDS = (("micro-batches", 0), ("whole mini-batch", 5))


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw a bar per limit for the mean, and every layer as a point."""
    layers = records[NOTEBOOK].tables["layers"]
    limits = list(dict.fromkeys(layers["limit"]))
    names = [limit.replace("_mib", " MiB") for limit in limits]
    figure = go.Figure()
    for kind, colour in KINDS:
        gains = [_gains(layers, limit, kind) for limit in limits]
        figure.add_bar(
            x=names,
            y=[math.prod(some) ** (1 / len(some)) for some in gains],
            name=kind,
            marker_color=colour_of(kind, colour),
            opacity=0.75,
            offsetgroup=kind,
            hovertemplate=f"{kind}, mean: %{{y:.2f}} x<extra></extra>",
        )
        figure.add_box(
            x=[name for name, some in zip(names, gains, strict=True) for _ in some],
            y=[gain for some in gains for gain in some],
            name=kind,
            boxpoints="all",
            pointpos=0,
            jitter=0.4,
            fillcolor="rgba(0,0,0,0)",
            line={"color": "rgba(0,0,0,0)"},
            marker={"color": "#222222", "size": 4},
            offsetgroup=kind,
            showlegend=False,
        )
    figure.add_hline(y=1, line={"dash": "dot", "width": 1})
    figure.update_layout(boxmode="group", barmode="group", hovermode="closest")
    figure.update_xaxes(title_text="workspace limit")
    figure.update_yaxes(title_text="times faster than torch", rangemode="tozero")
    return figure


def _gains(layers, limit, kind):
    """Return the gains over torch of all layers at a limit."""
    columns = ("limit", "gain_vs_torch", "gain_vs_undivided")
    return [
        over_torch if kind == "micro-batches" else over_torch / over_undivided
        for name, over_torch, over_undivided in zip(
            *(layers[column] for column in columns), strict=True
        )
        if name == limit
    ]


FIGURE = PaperFigure(
    name="fig20_microbatch_limits",
    title="DeepBench's convolutions in a limited workspace",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
