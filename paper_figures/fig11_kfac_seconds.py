"""Test accuracy against seconds of training, K-FAC beside SGD, by batch size."""

from collections.abc import Mapping

import plotly.graph_objects as go

from cocodesign.figures import PaperFigure, figure_main
from cocodesign.figures.curves import draw_curves
from cocodesign.results import RunRecord

NOTEBOOK = "10_kfac_convergence"


def draw(records: Mapping[str, RunRecord]) -> go.Figure:
    """Draw every seed's curve and the target that both optimizers are after."""
    record = records[NOTEBOOK]
    return draw_curves(
        record.tables["curves"],
        against="training_s",
        axis_title="seconds of training",
        target_accuracy=record.parameters["target_accuracy"],
    )


FIGURE = PaperFigure(
    name="fig11_kfac_seconds",
    title="K-FAC and SGD on Fashion-MNIST by seconds of training",
    notebooks=(NOTEBOOK,),
    draw=draw,
)

if __name__ == "__main__":
    figure_main(FIGURE)
