"""Where the time of a step goes: SGD, K-FAC with stale statistics, K-FAC without."""

from collections.abc import Mapping

import plotly.graph_objects as go

from cocodesign.figures import PaperFigure, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "10_kfac_convergence"
# What every optimizer does in greys, what K-FAC adds in colours.
COLOURS = {
    "forward": "#C4C4C4",
    "backward": "#999999",
    "update": "#666666",
    "preconditioning": "#E69F00",
    "statistics": "#0072B2",
    "inverses": "#56B4E9",
}


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw one stacked bar per kind of step."""
    table = records[NOTEBOOK].tables["step_parts"]
    rows = list(zip(table["step"], table["part"], table["seconds"], strict=True))
    figure = go.Figure()
    for part in dict.fromkeys(table["part"]):
        chosen = [(step, seconds) for step, name, seconds in rows if name == part]
        figure.add_bar(
            y=[step for step, _ in chosen],
            x=[1000 * seconds for _, seconds in chosen],
            orientation="h",
            name=part,
            marker_color=COLOURS[part],
            hovertemplate=f"{part}: %{{x:.1f}} ms<extra></extra>",
        )
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(title_text="milliseconds per step, at full batch")
    figure.update_yaxes(autorange="reversed")
    return figure


FIGURE = PaperFigure(
    name="fig14_kfac_step_time",
    title="Time of a step",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
