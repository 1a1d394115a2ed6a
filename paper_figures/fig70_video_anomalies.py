"""Anomaly scores over time, event by event."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "70_video_anomalies"
_HIGHEST = 6.0  # scores above are drawn at the edge


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw the scores of each stretch; frames with the event are dots."""
    record = records[NOTEBOOK]
    timeline = record.tables["timeline"]
    kinds = list(dict.fromkeys(timeline["event"]))
    figure = make_subplots(
        rows=2, cols=-(-len(kinds) // 2), subplot_titles=kinds, shared_yaxes=True
    )
    for index, kind in enumerate(kinds):
        row, column = index // figure_columns(kinds) + 1, index % figure_columns(kinds)
        rows = [n for n, event in enumerate(timeline["event"]) if event == kind]
        for strange in (False, True):
            chosen = [n for n in rows if bool(timeline["strange"][n]) is strange]
            figure.add_scatter(
                x=[timeline["time_s"][n] for n in chosen],
                y=[min(timeline["score"][n], _HIGHEST) for n in chosen],
                mode="markers",
                marker={
                    "size": 4,
                    "color": colour_of("strange" if strange else "normal", strange),
                },
                name="event" if strange else "normal",
                legendgroup=str(strange),
                showlegend=index == 0,
                row=row,
                col=column + 1,
            )
    figure.add_hline(
        record.metrics["threshold"].values[0],
        line_dash="dash",
        line_width=1,
        row="all",
        col="all",
    )
    figure.update_yaxes(title_text="anomaly score", col=1)
    figure.update_xaxes(title_text="time in the video, s", row=2)
    return figure


def figure_columns(kinds: list[str]) -> int:
    """Return how many events are in a row."""
    return -(-len(kinds) // 2)


FIGURE = PaperFigure(
    name="fig70_video_anomalies",
    title="What is strange before a fixed camera, and when",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
