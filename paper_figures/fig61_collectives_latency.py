"""A small all-reduce against the number of GPUs: predicted, and with random delays."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "60_collectives_scaling"
SCHEDULES = ("ring", "halving", "tuned")


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw links of one latency on the left, a machine with delays on the right."""
    record = records[NOTEBOOK]
    latency_us = 1e6 * record.parameters["latency_s"]
    delay_us = 1e6 * record.parameters["mean_delay_s"]
    figure = make_subplots(
        rows=1,
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.05,
        subplot_titles=[
            f"predicted: every link {latency_us:g} µs",
            f"simulated: ABCI; dashed: delays of {delay_us:g} µs",
        ],
    )
    panels = (
        (1, "latencies", "predicted_s", "solid"),
        (2, "delays", "without_s", "solid"),
        (2, "delays", "with_s", "dash"),
    )
    for column, table_name, quantity, dash in panels:
        table = record.tables[table_name]
        for index, schedule in enumerate(SCHEDULES):
            points = [
                (num_ranks, seconds)
                for num_ranks, name, seconds in zip(
                    table["num_ranks"], table["schedule"], table[quantity], strict=True
                )
                if name == schedule
            ]
            figure.add_scatter(
                x=[num_ranks for num_ranks, _ in points],
                y=[seconds for _, seconds in points],
                mode="lines+markers",
                name=schedule,
                legendgroup=schedule,
                showlegend=column == 1,
                line={"color": colour_of(schedule, index), "dash": dash, "width": 1.6},
                row=1,
                col=column,
            )
        figure.update_xaxes(
            title_text="GPUs",
            type="log",
            tickvals=sorted(set(table["num_ranks"])),
            tickangle=0,
            row=1,
            col=column,
        )
    figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    figure.update_yaxes(title_text="seconds for 1 KiB", row=1, col=1)
    return figure


FIGURE = PaperFigure(
    name="fig61_collectives_latency",
    title="A small all-reduce on many GPUs",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
