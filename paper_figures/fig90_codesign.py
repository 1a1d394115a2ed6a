"""What each layer gives: in one joined run, and by the account of all records."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "90_codesign_pipeline"
_SHOWN = {
    "K-FAC:<br>steps": "kfac_steps_ratio",
    "K-FAC:<br>seconds": "kfac_seconds_ratio",
    "plan:<br>seconds": "plan_seconds_ratio",
    "compression:<br>bytes": "compression_ratio",
}
_EVIDENCE = ("measured", "simulated")


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw the joined run's ratios with their range, and the account as a waterfall."""
    record = records[NOTEBOOK]
    figure = make_subplots(
        rows=1,
        cols=2,
        subplot_titles=[
            "in the joined run",
            "training, by all records",
        ],
    )
    found = [record.metrics[name] for name in _SHOWN.values()]
    figure.add_scatter(
        x=list(_SHOWN),
        y=[each.median for each in found],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [each.high - each.median for each in found],
            "arrayminus": [each.median - each.low for each in found],
        },
        mode="markers",
        marker={"size": 9, "color": colour_of("measured", 0)},
        showlegend=False,
        row=1,
        col=1,
    )
    _draw_account(figure, record)
    figure.add_hline(1, line_dash="dash", line_width=1, row="all", col="all")
    figure.update_xaxes(tickangle=0, tickfont_size=11)
    figure.update_yaxes(type="log", dtick="D2")
    figure.update_yaxes(title_text="without the layer over with it", row=1, col=1)
    figure.update_yaxes(title_text="product so far, x", row=1, col=2)
    return figure


def _draw_account(figure: go.Figure, record: RunRecord) -> None:
    """A bar from the product before a factor to the product with it."""
    account = record.tables["account"]
    product = 1.0
    shown = set()
    num_bars = 0
    for row, name in enumerate(account["factor"]):
        value, evidence = account["value"][row], account["evidence"][row]
        if account["chain"][row] != "training" or value is None:
            continue
        low, high = sorted((product, product * value))
        figure.add_scatter(
            x=[_in_lines(name)] * 2,
            y=[low, high],
            mode="lines",
            line={"width": 28, "color": colour_of(evidence, _EVIDENCE.index(evidence))},
            name=evidence,
            legendgroup=evidence,
            showlegend=evidence not in shown,
            row=1,
            col=2,
        )
        shown.add(evidence)
        product *= value
        num_bars += 1
    figure.update_xaxes(range=[-0.5, num_bars - 0.5], row=1, col=2)


def _in_lines(name: str) -> str:
    return name.replace(" of ", "<br>of ").replace(" to ", "<br>to ")


FIGURE = PaperFigure(
    name="fig90_codesign",
    title="What the layers give, one by one and together",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
