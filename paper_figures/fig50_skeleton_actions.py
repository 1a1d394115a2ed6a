"""The body's tree against its ablations, and what missing joints cost."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "50_skeleton_actions"


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw accuracies by seed, and losses by seed, one dot each."""
    tables = records[NOTEBOOK].tables
    figure = make_subplots(
        rows=1,
        cols=2,
        horizontal_spacing=0.14,
        subplot_titles=["networks of equal size", "test clips with something missing"],
    )
    accuracies = tables["accuracies"]
    variants = list(dict.fromkeys(accuracies["variant"]))
    for variant, accuracy in zip(
        accuracies["variant"], accuracies["accuracy"], strict=True
    ):
        _dot(figure, 1, variant, accuracy, colour_of(variant, variants.index(variant)))
    losses = tables["losses"]
    for damage, loss in zip(losses["damage"], losses["loss"], strict=True):
        _dot(figure, 2, damage, 100 * loss, colour_of("fine_to_coarse"))
    figure.update_yaxes(title_text="accuracy", tickformat=".1%", row=1, col=1)
    figure.update_yaxes(
        title_text="percentage points lost", zeroline=True, row=1, col=2
    )
    return figure


def _dot(figure: go.Figure, column: int, x: str, y: float, colour: str) -> None:
    figure.add_scatter(
        x=[x.replace("_", " ").replace(" of the ", "<br>of the ")],
        y=[y],
        mode="markers",
        marker={"color": colour, "size": 10, "opacity": 0.7},
        showlegend=False,
        row=1,
        col=column,
    )


FIGURE = PaperFigure(
    name="fig50_skeleton_actions",
    title="A network in the shape of the body, and without it",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
