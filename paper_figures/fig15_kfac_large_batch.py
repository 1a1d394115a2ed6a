"""Test accuracy of finished K-FAC trainings, smallest and largest batch."""

from collections.abc import Mapping

import plotly.graph_objects as go

from cocodesign.figures import PaperFigure, colour_of, figure_main
from cocodesign.results import RunRecord

NOTEBOOK = "10_kfac_convergence"


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw every seed as a line between the batch sizes."""
    finals = records[NOTEBOOK].tables["final_accuracies"]
    columns = ("seed", "batch_size", "num_steps", "test_accuracy")
    rows = list(zip(*(finals[name] for name in columns), strict=True))
    figure = go.Figure()
    labels = {size: f"{size:,} ({steps:,} steps)" for _, size, steps, _ in sorted(rows)}
    for seed in dict.fromkeys(finals["seed"]):
        chosen = sorted((size, acc) for at, size, _, acc in rows if at == seed)
        figure.add_scatter(
            x=[labels[size] for size, _ in chosen],
            y=[accuracy for _, accuracy in chosen],
            mode="lines+markers",
            name=f"K-FAC, seed {seed}",
            line={"color": colour_of("K-FAC"), "width": 1.6},
            marker={"size": 9},
            showlegend=False,
            hovertemplate=f"seed {seed}: %{{y:.2%}}<extra></extra>",
        )
    figure.update_xaxes(
        title_text="examples per step",
        type="category",
        categoryorder="array",
        categoryarray=[labels[size] for size in sorted(labels)],
    )
    figure.update_yaxes(title_text="test accuracy at the end", tickformat=".1%")
    return figure


FIGURE = PaperFigure(
    name="fig15_kfac_large_batch",
    title="What the largest batch costs K-FAC in accuracy",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
