"""Accuracy curves of several optimizers, one panel for each mini-batch size."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cocodesign.figures.style import colour_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

_TARGET = {"color": "#222222", "dash": "dot", "width": 1}


def draw_curves(
    curves: Mapping[str, Sequence[Any]],
    *,
    against: str,
    axis_title: str,
    target_accuracy: float,
) -> "go.Figure":
    """Draw test accuracy against what was spent, every seed a line.

    Args:
        curves: Columns ``batch_size``, ``optimizer``, ``seed``, ``test_accuracy`` and
            the one that is named by ``against``.
        against: The column of what was spent.
        axis_title: What the reader calls it.
        target_accuracy: A dotted line at this accuracy, a fraction.

    Returns:
        The figure, a panel for each mini-batch size.
    """
    from plotly.subplots import make_subplots

    batch_sizes = sorted(set(curves["batch_size"]))
    figure: Any = make_subplots(  # its stubs take rows for strings
        rows=1,
        cols=len(batch_sizes),
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=[f"batch {size:,}" for size in batch_sizes],
    )
    shown: set[str] = set()
    for column, size in enumerate(batch_sizes, start=1):
        for optimizer, seed, spent, accuracies in _lines(curves, against, size):
            figure.add_scatter(
                x=spent,
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
        figure.add_hline(y=target_accuracy, line=_TARGET, row=1, col=column)
        figure.update_xaxes(title_text=axis_title, row=1, col=column)
    figure.update_yaxes(title_text="test accuracy", tickformat=".0%", row=1, col=1)
    return figure


def _lines(
    curves: Mapping[str, Sequence[Any]], against: str, batch_size: int
) -> Iterator[tuple[str, int, list[float], list[float]]]:
    """Yield optimizer, seed, spendings and accuracies of each training at a size."""
    lines: dict[tuple[str, int], tuple[list[float], list[float]]] = {}
    columns = ("batch_size", "optimizer", "seed", against, "test_accuracy")
    for size, optimizer, seed, spending, accuracy in zip(
        *(curves[name] for name in columns), strict=True
    ):
        if size == batch_size:
            spent, accuracies = lines.setdefault((optimizer, seed), ([], []))
            spent.append(spending)
            accuracies.append(accuracy)
    for (optimizer, seed), (spent, accuracies) in sorted(lines.items()):
        yield optimizer, seed, spent, accuracies
