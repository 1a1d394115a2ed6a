"""All-reduces on processes of one machine: measured points, predicted lines."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "60_collectives_scaling"
LIBRARY = "library"


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw, by number of processes, the ends, the chosen schedules and gloo's own."""
    table = records[NOTEBOOK].tables["all_reduces"]
    columns = ("num_ranks", "schedule", "num_bytes", "measured_s", "predicted_s")
    rows = list(zip(*(table[name] for name in columns), strict=True))
    chosen = {
        (num_ranks, schedule)
        for num_ranks, schedule, is_chosen in zip(
            table["num_ranks"], table["schedule"], table["chosen"], strict=True
        )
        if is_chosen
    }
    numbers = sorted({row[0] for row in rows})
    figure = make_subplots(
        rows=1,
        cols=len(numbers),
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=[f"{number} processes" for number in numbers],
    )
    shown = set()
    for column, number in enumerate(numbers, start=1):
        for name, schedules in _groups(number, chosen).items():
            for schedule in schedules:
                line = [row[2:] for row in rows if row[:2] == (number, schedule)]
                colour = colour_of(name, _ORDER.index(name))
                figure.add_scatter(
                    x=[size for size, _, _ in line],
                    y=[measured for _, measured, _ in line],
                    mode="markers",
                    name=name,
                    legendgroup=name,
                    showlegend=name not in shown,
                    marker={"color": colour, "size": 7},
                    hovertemplate=f"{schedule}: %{{y:.3s}}s<extra></extra>",
                    row=1,
                    col=column,
                )
                figure.add_scatter(
                    x=[size for size, _, predicted in line if predicted is not None],
                    y=[predicted for _, _, predicted in line if predicted is not None],
                    mode="lines",
                    legendgroup=name,
                    showlegend=False,
                    hoverinfo="skip",
                    line={"color": colour, "width": 1.4},
                    row=1,
                    col=column,
                )
                shown.add(name)
        figure.update_xaxes(
            title_text="bytes",
            type="log",
            dtick=1,
            exponentformat="power",
            row=1,
            col=column,
        )
    figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    figure.update_yaxes(title_text="seconds", row=1, col=1)
    return figure


_ORDER = ("ring", "halving and doubling", "one-shot", "gloo's own")


def _groups(number, chosen):
    """Name the schedules to show: the ends, the one-shot forms chosen, the library."""
    halving = f"[{number}]" if number == 2 else f"[{number}h]"
    groups = {"ring": [f"[{number}]"], "halving and doubling": [halving]}
    if halving == f"[{number}]":
        del groups["ring"]
    groups["one-shot"] = sorted(
        schedule
        for num_ranks, schedule in chosen
        if num_ranks == number and schedule.startswith("one-shot")
    )
    groups["gloo's own"] = [LIBRARY]
    return groups


FIGURE = PaperFigure(
    name="fig60_collectives_measured",
    title="All-reduce: points measured, lines predicted",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
