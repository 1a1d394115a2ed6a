"""Test accuracy against seconds of training, K-FAC beside SGD, by batch size."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "10_kfac_convergence"


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw every seed's curve and the target that both optimizers are after."""
    record = records[NOTEBOOK]
    curves = record.tables["curves"]
    batch_sizes = sorted(set(curves["batch_size"]))
    figure = make_subplots(
        rows=1,
        cols=len(batch_sizes),
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=[f"batch {size:,}" for size in batch_sizes],
    )
    shown = set()
    for column, size in enumerate(batch_sizes, start=1):
        for optimizer, seed, seconds, accuracies in _lines(curves, size):
            figure.add_scatter(
                x=seconds,
                y=accuracies,
                mode="lines",
                name=optimizer,
                legendgroup=optimizer,
                showlegend=optimizer not in shown,
                line={"color": colour_of(optimizer), "width": 1.6},
                hovertemplate=f"{optimizer}, seed {seed}: %{{y:.2%}}<extra></extra>",
                row=1,
                col=column,
            )
            shown.add(optimizer)
        figure.add_hline(
            y=record.parameters["target_accuracy"],
            line={"color": "#222222", "dash": "dot", "width": 1},
            row=1,
            col=column,
        )
        figure.update_xaxes(title_text="seconds of training", row=1, col=column)
    figure.update_yaxes(title_text="test accuracy", tickformat=".0%", row=1, col=1)
    return figure


def _lines(curves, batch_size):
    """Yield optimizer, seed, seconds and accuracies of each training at a size."""
    lines = {}
    columns = ("batch_size", "optimizer", "seed", "training_s", "test_accuracy")
    for size, optimizer, seed, second, accuracy in zip(
        *(curves[name] for name in columns), strict=True
    ):
        if size == batch_size:
            seconds, accuracies = lines.setdefault((optimizer, seed), ([], []))
            seconds.append(second)
            accuracies.append(accuracy)
    for (optimizer, seed), (seconds, accuracies) in sorted(lines.items()):
        yield optimizer, seed, seconds, accuracies


FIGURE = PaperFigure(
    name="fig11_kfac_seconds",
    title="K-FAC and SGD on Fashion-MNIST by seconds of training",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
