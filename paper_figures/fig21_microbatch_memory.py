"""What a training step allocates over time, torch's own and planned."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "20_microbatch_workspace"
KINDS = (("torch", 5), ("planned", 0))
SUFFIX = "_memory"
MIB = 1 << 20


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw both timelines of each network; below torch's peak is the plan's room."""
    record = records[NOTEBOOK]
    networks = [
        name.removesuffix(SUFFIX) for name in record.tables if name.endswith(SUFFIX)
    ]
    titles = [
        f"{name}: {record.metrics[f'{name}_step_gain'].median:.2f} x torch's speed"
        for name in networks
    ]
    figure = make_subplots(rows=1, cols=len(networks), subplot_titles=titles)
    for column, network in enumerate(networks, start=1):
        table = record.tables[network + SUFFIX]
        for kind, colour in KINDS:
            points = [
                (second, live / MIB)
                for each, second, live in zip(
                    *(table[name] for name in ("kind", "second", "live_bytes")),
                    strict=True,
                )
                if each == kind
            ]
            end = max(x for x, _ in points)
            figure.add_scatter(
                x=[x / end for x, _ in points],
                y=[y for _, y in points],
                mode="lines",
                line={"shape": "hv", "color": colour_of(kind, colour), "width": 1.5},
                name=kind,
                legendgroup=kind,
                showlegend=column == 1,
                row=1,
                col=column,
            )
        figure.update_xaxes(
            title_text="share of the step", tickformat=".0%", row=1, col=column
        )
    figure.update_yaxes(title_text="allocated, MiB", rangemode="tozero", row=1, col=1)
    return figure


FIGURE = PaperFigure(
    name="fig21_microbatch_memory",
    title="A training step within torch's own memory",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
