"""One simulated step of K-FAC for ResNet-50: throughput, and where the time goes."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "60_collectives_scaling"
SCHEDULES = ("ring", "halving", "tuned")
PARTS = {
    "compute_s": "passes",
    "inversion_s": "inversions",
    "gradients_s": "gradients",
    "statistics_s": "statistics",
    "weights_s": "weights",
}


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw weak and strong scaling of the first machine, and its largest step."""
    table = records[NOTEBOOK].tables["steps"]
    rows = [
        dict(zip(table, values, strict=True))
        for values in zip(*table.values(), strict=True)
    ]
    machine = rows[0]["machine"]
    rows = [row for row in rows if row["machine"] == machine]
    most = max(row["num_ranks"] for row in rows)
    figure = make_subplots(
        rows=1,
        cols=3,
        horizontal_spacing=0.09,
        subplot_titles=["weak scaling", "strong scaling", f"a step on {most:,} GPUs"],
    )
    for column, scaling in enumerate(("weak", "strong"), start=1):
        for index, schedule in enumerate(SCHEDULES):
            points = [
                row
                for row in rows
                if (row["scaling"], row["schedule"]) == (scaling, schedule)
            ]
            figure.add_scatter(
                x=[row["num_ranks"] for row in points],
                y=[row["images_per_s"] for row in points],
                mode="lines+markers",
                name=schedule,
                legendgroup=schedule,
                showlegend=column == 1,
                line={"color": colour_of(schedule, index), "width": 1.6},
                row=1,
                col=column,
            )
        figure.update_xaxes(
            title_text="GPUs",
            type="log",
            tickvals=sorted({row["num_ranks"] for row in rows})[::2],
            tickangle=0,
            row=1,
            col=column,
        )
        figure.update_yaxes(
            title_text="images/s" if column == 1 else None,
            type="log",
            dtick=1,
            exponentformat="SI",
            row=1,
            col=column,
        )
    largest = {
        row["schedule"]: row
        for row in rows
        if (row["scaling"], row["num_ranks"]) == ("weak", most)
    }
    for part, name in PARTS.items():
        figure.add_bar(
            x=list(SCHEDULES),
            y=[largest[schedule][part] for schedule in SCHEDULES],
            name=name,
            showlegend=False,
            marker={"color": _SHADES[part]},
            text=[
                name if largest[schedule][part] > 0.015 else ""
                for schedule in SCHEDULES
            ],
            textposition="inside",
            textangle=0,
            insidetextanchor="middle",
            row=1,
            col=3,
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title_text="seconds", row=1, col=3)
    return figure


_SHADES = {
    "compute_s": "#BBBBBB",
    "inversion_s": "#777777",
    "gradients_s": "#56B4E9",
    "statistics_s": "#E69F00",
    "weights_s": "#0072B2",
}

FIGURE = PaperFigure(
    name="fig62_collectives_step",
    title="One step of K-FAC for ResNet-50, simulated",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
